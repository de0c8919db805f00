"""What is shown of runs: the report, the model card, charts. Computes no figure."""
