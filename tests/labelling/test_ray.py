"""Labelling and tagging on a Ray cluster of this machine's processes."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.artifacts import shards
from potstill.augment.augmentation import augment
from potstill.augment.sampling import Rules
from potstill.corpus.streams import in_parts
from potstill.corpus.texts import Text
from potstill.corpus.transfer import read_transfer
from potstill.errors import PotstillError
from potstill.labelling import ENGINES, Engine, ray
from potstill.progress import Progress, silent
from potstill.teachers import Teacher, open_teacher

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs the extra ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

TEXTS = [f"the {noun} is {word}" for noun in ("film", "plot", "cast") for word in ("fine", "dull", "warm", "cold")]
SHARDS = list(in_parts(TEXTS, 2))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without processors, and a node with one."""
    import ray as library

    library.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find the tests' modules
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        store = {"object_store_memory": 100 * 2**20}
        quickly = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": quickly, **store}
        started = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        started.add_node(num_cpus=1, **store)
        patch.setenv("RAY_ADDRESS", started.address)
        yield started
        library.shutdown()
        started.shutdown()


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Teacher:
    return open_teacher(str(classifier_folder({0: "0", 1: "1"})))


class StandIn:
    """What stand-ins for teachers have in common."""

    labels: ClassVar[list[str]] = ["0", "1"]
    identity = "stand-in"

    def check(self, texts: Sequence[Text]) -> None:
        pass


class Silent(StandIn):
    """A teacher that never ends on one node, and elsewhere not before it has been called there."""

    def __init__(self, teacher: Teacher, node: str, called: Path) -> None:
        self.teacher = teacher
        self.node = node
        self.called = called

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        import ray as library

        if library.get_runtime_context().get_node_id() == self.node:
            self.called.touch()
            time.sleep(600)
        while not self.called.exists():
            time.sleep(0.01)
        return self.teacher(texts, progress)


class Failing(StandIn):
    """A teacher that cannot label; or whose process ends."""

    def __init__(self, dies: bool) -> None:
        self.dies = dies

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        if self.dies:
            os._exit(1)
        raise PotstillError("no room in /scratch")


def after_first_shard(act: Callable[[], None]) -> Progress:
    """A progress that does something once, when the first shard is there."""
    left = [act]

    class Bar:
        def update(self, n: int) -> None:
            if left:
                left.pop()()

        def note(self, text: str) -> None:
            pass

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Bar]:
        yield Bar()

    return progress


def label(engine: Engine, teacher: Teacher, folder: Path, progress: Progress = silent) -> int:
    folder.mkdir(exist_ok=True)
    return ENGINES[engine](SHARDS, teacher, folder, n_shards=len(SHARDS), progress=progress)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shards(folder)}


def test_a_node_that_is_killed_in_mid_run_costs_nothing_and_missing_shards_alone_are_made(
    cluster: Any, teacher: Teacher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert label("local", teacher, tmp_path / "local") == len(SHARDS) == 6
    node = cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    kill = after_first_shard(lambda: cluster.remove_node(node, allow_graceful=False))
    doomed = Silent(teacher, node.node_id, tmp_path / "called")
    with caplog.at_level("INFO", logger="potstill"):
        assert label("ray", doomed, tmp_path / "ray", kill) == 6
    assert "is given back" in caplog.text
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    shards(tmp_path / "ray")[4].unlink()
    assert label("ray", teacher, tmp_path / "ray") == 1
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_an_error_of_a_worker_is_raised_here(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"^no room in /scratch$"):
        label("ray", Failing(dies=False), tmp_path)


def test_workers_that_die_of_a_shard_are_an_error(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "_TRIES", 1)
    with pytest.raises(PotstillError, match=r"died with shard \d in hand; is their memory enough"):
        label("ray", Failing(dies=True), tmp_path)


def test_a_worker_that_fits_no_node_is_an_error(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(PotstillError, match="has 2 processors for a worker; give fewer --threads"):
        label("ray", Failing(dies=True), tmp_path)


def test_texts_that_are_tagged_on_the_cluster_are_the_same(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"film {number}" for number in range(2300)]
    results = []
    for name, pool in (("local", None), ("ray", ray.pool)):
        monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / name))
        results.append(list(augment(texts, Rules(n_iter=1), analyzer="whitespace", pool=pool)))
    assert results[0] == results[1]


class HalfSilent(StandIn):
    """A teacher without an answer to every other text."""

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        logits = np.zeros((len(texts), 2), np.float32)
        logits[1::2] = np.nan
        return logits


def test_texts_without_an_answer_are_left_out_on_a_cluster_too(cluster: Any, tmp_path: Path) -> None:
    label("local", HalfSilent(), tmp_path / "local")
    label("ray", HalfSilent(), tmp_path / "ray")
    assert read_transfer(tmp_path / "ray").texts == TEXTS[::2]
    assert {path.name: path.read_bytes() for path in (tmp_path / "ray").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "local").iterdir()
    }
