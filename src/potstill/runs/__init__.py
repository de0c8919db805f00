"""A run folder: its options, when a stage is made again, and reading its data."""
