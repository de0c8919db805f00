"""Examples, labels, words, word vectors and transfer sets, as files and as arrays. Knows no model."""
