"""``potstill distill``: one file a folder of the run."""
