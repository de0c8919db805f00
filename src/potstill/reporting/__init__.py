"""Shows runs: the report, the model card, charts. Computes no figure."""
