"""What an operator does to an inbox and an outbox: look, try again, clear away."""
