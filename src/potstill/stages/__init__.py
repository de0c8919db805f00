"""The stages: each reads files, writes files and returns a dataclass. Commands of the CLI, one file each."""
