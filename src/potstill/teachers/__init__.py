"""Texts to logits with a transformer. Knows no student and no training loop."""
