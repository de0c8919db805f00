"""What a model is trained on, and how: vocabulary, encoded text, batches, losses, and the one trainer of teacher and
student."""
