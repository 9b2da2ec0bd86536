"""Small checkpoints that come with the code, so that everything runs without a download."""
