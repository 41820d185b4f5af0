"""The `attribution` command: its options, what it runs, and what the terminal shows."""
