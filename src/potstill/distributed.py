"""Which process this is, where ``torchrun`` or ``accelerate launch`` started several to train one model."""

import os


def n_processes() -> int:
    """How many processes train the model together."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """This one's number, from 0."""
    return int(os.environ.get("RANK", 0))


def is_first() -> bool:
    """Whether this is the one that writes files and shows progress."""
    return rank() == 0
