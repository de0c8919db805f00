"""Losses, batches and the one trainer that teacher and student share. Knows no files of text."""
