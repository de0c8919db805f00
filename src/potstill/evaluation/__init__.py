"""Measuring models: the figures of a run, cascades, and other libraries' classifiers."""
