"""Which process this is, where ``torchrun`` or ``accelerate launch`` started several to train one model."""

import atexit
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


def leave_at_exit() -> None:
    """End this process's connections to the others when it ends.

    Gloo's threads, still at work while Python is being taken down, otherwise abort a process that has done all its work
    (https://github.com/pytorch/pytorch/issues/190489). NCCL needs nothing, and would wait
    here for a process that failed.
    """
    if n_processes() > 1:
        atexit.register(_leave)


def _leave() -> None:
    from torch import distributed

    if distributed.is_initialized() and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()
