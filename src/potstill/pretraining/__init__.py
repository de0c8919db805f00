"""``potstill pretrain``: a student that gives an encoder's sentence vectors, for students of any task to start from."""
