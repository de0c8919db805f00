"""New text from labelled text: analyzers tag its words, sampling masks and replaces them. Knows no model."""
