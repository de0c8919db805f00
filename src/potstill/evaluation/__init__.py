"""Measuring models, and what is known of them afterwards."""
