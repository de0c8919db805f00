"""A trained classifier on numpy, tokenizers and ONNX Runtime alone."""
