"""The commands of the published recipe, a step each. ``potstill distill`` does not use them."""
