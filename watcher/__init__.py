"""The door and the hall: notices requests, claims them and carries them to the outbox."""
