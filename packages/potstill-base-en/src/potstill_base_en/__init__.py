"""A pretrained student of Potstill for English: its weights, configuration and tokenizer lie beside this file."""
