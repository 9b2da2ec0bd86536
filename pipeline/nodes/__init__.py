"""The nodes: each does one step of a drawing and records how it went."""
