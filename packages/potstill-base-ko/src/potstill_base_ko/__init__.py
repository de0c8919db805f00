"""A pretrained student of Potstill for Korean: its weights, configuration and tokenizer lie beside this file."""
