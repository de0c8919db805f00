"""One file a command: its options, its work, its result."""
