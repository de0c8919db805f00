"""Labelling and tagging on a Ray cluster. The driver, this process, reads texts and writes shards. A worker loads the
teacher once, then takes texts and returns logits. So it needs no file of the driver's and no common file system.

The shards of a worker that dies go to other workers. Nodes that join later are used if there is work for them.

Actors of Ray core, not Ray Data: a shard must have the texts and the file name that the local engine gives it, and a
missing shard must be made alone. Ray Data divides blocks and names files by itself, and starts again from nothing when
its driver dies.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import shards as shard_files
from potstill.augment.tagging import Submit, tag_part
from potstill.corpus.texts import Text
from potstill.errors import PotstillError, reason, require
from potstill.labelling.local import Shard, missing_shards, write_labelled
from potstill.progress import Progress, silent
from potstill.runtime.threads import asked_threads
from potstill.teachers import Teacher
from potstill.teachers.left_out import left_out_of

if TYPE_CHECKING:
    from upath import UPath

logger = logging.getLogger(__name__)

# Shards a worker: one is labelled while the next one is sent, so that no model waits. A node's end costs these two.
_IN_HAND = 2
_TRIES = 5  # workers that may die with one shard in hand, or before they have loaded the teacher
_LOOK_EVERY = 1.0  # seconds between looks for nodes that have joined


def label_shards(
    shards: Iterable[Sequence[Text]],
    teacher: Teacher,
    folder: "Path | UPath",
    *,
    n_shards: int,
    progress: Progress = silent,
) -> int:
    """Label texts into ``part-*.parquet`` files of a folder, as :func:`potstill.labelling.local.label_shards` does.

    :param teacher: is pickled and sent to every worker.
    :param folder: used by this process only.
    :raises PotstillError: when ray is not installed, the cluster has no room, or workers die of the same shard.
    """
    missing = missing_shards(shards, folder)
    first = next(missing, None)
    if first is None:
        return 0
    n_made, n_missing = 0, n_shards - len(shard_files(folder))
    # This process alone reads and writes: it costs 1 ms a thousand texts, where a worker takes 4 s (MiniLM-L6).
    with _team(teacher, n_missing) as team, progress("labelling shards", n_missing) as bar:
        for shard, logits in _labelled(chain([first], missing), team):
            # The reasons stay with the worker: a teacher that has them is not for a cluster.
            write_labelled(folder, shard, logits, left_out_of(None, shard.texts, logits))
            n_made += 1
            bar.update(1)
            bar.note(f"{team.size} workers")
    return n_made


@contextmanager
def pool(analyzer: str) -> Iterator[tuple[Submit, int]]:
    """Tag texts on the cluster: a :data:`potstill.augment.tagging.Pool`."""
    ray = _connect()
    tag = ray.remote(tag_part).options(max_retries=_TRIES)  # where a node dies; what tag_part raises is raised here

    def submit(texts: list[str]) -> Any:
        return partial(_get, tag.remote(analyzer, texts))

    yield submit, max(1, int(ray.cluster_resources().get("CPU", 1)))


def _connect() -> Any:
    """Join the cluster that ``RAY_ADDRESS`` or this machine's ``ray start`` names; else start one on this machine."""
    require("ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that we start sends no usage statistics
    import ray

    if not ray.is_initialized():
        try:
            ray.init(logging_level=logging.WARNING, log_to_driver=False)
        except (ConnectionError, RuntimeError) as error:  # the second: a cluster of another version
            raise PotstillError(
                f"the Ray cluster cannot be joined ({reason(error)}); see ray status, RAY_ADDRESS"
            ) from error
    return ray


def _get(reference: Any) -> Any:
    """The result of a task; or its error, without Ray's own traceback."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


class _Worker:
    """A worker: a process of its own on a node."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher

    def label(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        return self._teacher(texts)

    def ready(self) -> None:
        """Return when the teacher is loaded."""


class _Team:
    """The workers, and which shards they have in hand.

    :param most: the most workers that have work.
    """

    def __init__(self, ray: Any, teacher: Teacher, most: int) -> None:
        self._ray = ray
        self._most = most
        on_gpus = ray.cluster_resources().get("GPU", 0) >= 1
        n_threads = 1 if on_gpus else asked_threads()
        self._needs = {"CPU": float(n_threads)} | ({"GPU": 1.0} if on_gpus else {})
        if not self._room():
            needed = "1 GPU" if on_gpus else f"{n_threads} processors"
            raise PotstillError(f"no node of the Ray cluster has {needed} for a worker; give fewer --threads")
        self._worker = ray.remote(_Worker).options(
            num_cpus=n_threads,
            num_gpus=int(on_gpus),
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(n_threads)}},  # logits' last bits depend on it
        )
        self._teacher = ray.put(teacher)  # each node fetches it once; each worker opens its own backend
        # They get no shard yet: a worker that never comes costs nothing.
        self._starting: dict[Any, Any] = {}  # future of ready() -> its worker
        self._in_hand: dict[Any, dict[Any, Shard]] = {}  # worker -> future of label() -> its shard
        self._deaths: dict[int | None, int] = {}  # by shard; None: of workers that were loading

    @property
    def size(self) -> int:
        """How many workers there are, without those that are loading."""
        return len(self._in_hand)

    @property
    def is_idle(self) -> bool:
        """Whether no shard is in hand."""
        return not any(self._in_hand.values())

    def _room(self) -> int:
        """How many workers the living nodes have room for, if nothing else runs on them."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return sum(min(int(node.get(kind, 0) // need) for kind, need in self._needs.items()) for node in nodes)

    def grow(self) -> None:
        """Start as many workers as there is room and work for."""
        while len(self._starting) + self.size < min(self._room(), self._most):
            worker = self._worker.remote(self._teacher)
            self._starting[worker.ready.remote()] = worker

    def free_hand(self) -> Any:
        """A worker that can take a shard, or None."""
        return next((worker for worker, shards in self._in_hand.items() if len(shards) < _IN_HAND), None)

    def give(self, worker: Any, shard: Shard) -> None:
        """Let a worker label a shard."""
        self._in_hand[worker][worker.label.remote(shard.texts)] = shard

    def results(self) -> Iterator[tuple[Shard, NDArray[np.float32] | None]]:
        """Wait a moment, then give the shards that are labelled; with None for logits where the worker has died."""
        at_work = {reference: worker for worker, shards in self._in_hand.items() for reference in shards}
        references = [*at_work, *self._starting]
        done, _ = self._ray.wait(references, timeout=_LOOK_EVERY) if references else ([], [])
        for reference in done:
            if reference in self._starting:
                self._welcome(reference)
                continue
            shard = self._in_hand.get(at_work[reference], {}).pop(reference, None)
            if shard is None:  # given back already, with the other shards of its worker
                continue
            try:
                yield shard, _get(reference)
            except self._ray.exceptions.RayError as error:
                self._ray.kill(at_work[reference])  # it may still run: only its result may be lost
                for lost in (shard, *self._in_hand.pop(at_work[reference], {}).values()):
                    self._count_death(lost.index, error)
                    yield lost, None

    def _welcome(self, reference: Any) -> None:
        worker = self._starting.pop(reference)
        try:
            _get(reference)
        except self._ray.exceptions.RayError as error:
            self._count_death(None, error)
        else:
            self._in_hand[worker] = {}

    def _count_death(self, shard: int | None, error: Exception) -> None:
        logger.info("a worker of the Ray cluster died%s", "" if shard is None else f": shard {shard + 1} is given back")
        self._deaths[shard] = self._deaths.get(shard, 0) + 1
        if self._deaths[shard] == _TRIES:
            what = "before they had loaded the teacher" if shard is None else f"with shard {shard + 1} in hand"
            last = str(error).strip().splitlines()[-1].strip()  # the lines before it are about Ray
            raise PotstillError(f"{_TRIES} workers of the Ray cluster died {what}; is their memory enough? ({last})")

    def dismiss(self) -> None:
        """End the workers, those that wait for room too."""
        for worker in (*self._in_hand, *self._starting.values()):
            self._ray.kill(worker)


@contextmanager
def _team(teacher: Teacher, most: int) -> Iterator[_Team]:
    team = _Team(_connect(), teacher, most)
    try:
        yield team
    finally:
        team.dismiss()


def _labelled(shards: Iterator[Shard], team: _Team) -> Iterator[tuple[Shard, NDArray[np.float32]]]:
    """The shards as they are labelled; the next one is read when a worker can take it."""
    lost: list[Shard] = []
    following = next(shards, None)
    while following or lost or not team.is_idle:
        if following or lost:
            team.grow()
        while (worker := team.free_hand()) and (following or lost):
            if lost:
                team.give(worker, lost.pop())
            elif following:
                team.give(worker, following)
                following = next(shards, None)
        for shard, logits in team.results():
            if logits is None:
                lost.append(shard)
            else:
                yield shard, logits
