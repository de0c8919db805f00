"""A training's checkpoints on disk: sealed with their hashes, found after a kill, dropped when they are old.

Knows only that each is a folder ``checkpoint-STEP`` with the Trainer's state in it.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

from potstill.artifacts import MANIFEST, read_json, write_manifest
from potstill.manifests import find_faults

logger = logging.getLogger(__name__)

STATE = "trainer_state.json"  # of the Trainer
_N_NEWEST = 2  # kept in addition to the best: where the last one is damaged, there is one before it


def seal_checkpoint(work: Path, step: int, best_step: int | None) -> None:
    """Declare a step's checkpoint complete, and drop those that are neither among the newest nor the best.

    :param best_step: whose checkpoint is the best so far; None where no figure on valid was a number.
    """
    write_manifest(_folder(work, step), {})
    for old in _checkpoints(work)[_N_NEWEST:]:
        if _step(old) != best_step:
            _drop(old)


def has_ended(checkpoint: Path) -> bool:
    """Whether the training was over, after its last step or stopped early, and has a best checkpoint."""
    state = _read_state(checkpoint)
    stopped = state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]
    return bool(stopped) and state["best_global_step"] is not None


def best_checkpoint(checkpoint: Path) -> Path:
    """The best one at the time of a checkpoint. The path in the state does not hold once the folder has moved."""
    return _folder(checkpoint.parent, _read_state(checkpoint)["best_global_step"])


def newest_checkpoint(work: Path, description: str) -> Path | None:
    """The newest checkpoint that is as it was written, if the best one of its time is too; later ones are dropped.

    Hashes are compared, not sizes alone: a damaged checkpoint would spoil hours of training unseen.

    :param description: of the training, for the log.
    """
    checkpoints = _checkpoints(work)
    whole = {_step(checkpoint) for checkpoint in checkpoints if _is_whole(checkpoint, description)}
    for checkpoint in checkpoints:
        if _step(checkpoint) in whole and _read_state(checkpoint)["best_global_step"] in (*whole, None):
            logger.info("%s: going on from %s", description, checkpoint.name)
            return checkpoint
        _drop(checkpoint)
    if checkpoints:
        logger.info("%s: no checkpoint to resume from: starting from the beginning", description)
    return None


def _is_whole(checkpoint: Path, description: str) -> bool:
    if not (checkpoint / MANIFEST).is_file():
        logger.info("%s: %s was not finished: left out", description, checkpoint.name)
        return False
    faults = find_faults(checkpoint)
    if faults:
        logger.warning("%s: %s is damaged and left out: %s", description, checkpoint.name, faults[0])
    return not faults


def _drop(checkpoint: Path) -> None:
    (checkpoint / MANIFEST).unlink(missing_ok=True)  # first, so that a kill leaves one that was not finished
    shutil.rmtree(checkpoint, ignore_errors=True)  # another process of the same training may be the first


def _read_state(checkpoint: Path) -> dict[str, Any]:
    state: dict[str, Any] = read_json(checkpoint / STATE)
    return state


def _folder(work: Path, step: int) -> Path:
    return work / f"checkpoint-{step}"


def _checkpoints(work: Path) -> list[Path]:
    """The newest first."""
    return sorted(work.glob("checkpoint-*"), key=_step, reverse=True)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
