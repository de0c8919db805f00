"""Where labelling runs. An engine knows shards, not models: it is given the function from texts to logits."""
