"""The prompt system: from what the user wrote to the words a checkpoint understands."""
