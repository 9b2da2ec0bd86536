"""The commands, one a file; they read the settings and print."""
