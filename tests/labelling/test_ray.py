"""Labelling and tagging on a Ray cluster of this machine's processes."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.artifacts import shards
from potstill.augment.augmentation import augment
from potstill.augment.sampling import Rules
from potstill.corpus.encoded import Encoded, Text, encode, limited
from potstill.corpus.streams import in_parts
from potstill.errors import PotstillError
from potstill.labelling import ENGINES, ray
from potstill.labelling.label import TeacherLogits
from potstill.labelling.local import Predict
from potstill.progress import Progress, silent
from potstill.teachers.checkpoints import Checkpoint, open_finetuned

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
        found = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        found.add_node(num_cpus=1, **store)
        patch.setenv("RAY_ADDRESS", found.address)
        yield found
        library.shutdown()
        found.shutdown()


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Checkpoint:
    return open_finetuned(str(classifier_folder({0: "0", 1: "1"})))


class Encoder:
    """A teacher's tokenizer, as a stage gives it to an engine."""

    def __init__(self, teacher: Checkpoint) -> None:
        self.tokenizer = limited(teacher.tokenizer.backend_tokenizer, 60)

    def __call__(self, start: int, texts: Sequence[Text]) -> Encoded:
        return encode(texts, self.tokenizer)


class Silent:
    """A teacher that never answers on one node, and elsewhere not before it has been asked there."""

    def __init__(self, predict: Predict, node: str, asked: Path) -> None:
        self.predict = predict
        self.node = node
        self.asked = asked

    def __call__(self, part: Encoded, progress: Progress) -> NDArray[np.float32]:
        import ray as library

        if library.get_runtime_context().get_node_id() == self.node:
            self.asked.touch()
            time.sleep(600)
        while not self.asked.exists():
            time.sleep(0.01)
        return self.predict(part, progress)


class Failing:
    """A teacher that cannot be asked; or whose process ends."""

    def __init__(self, dies: bool) -> None:
        self.dies = dies

    def __call__(self, part: Encoded, progress: Progress) -> NDArray[np.float32]:
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


def label(engine: str, teacher: Checkpoint, folder: Path, predict: Predict, progress: Progress = silent) -> int:
    folder.mkdir(exist_ok=True)
    run = ENGINES[engine]  # type: ignore[index]
    return run(SHARDS, Encoder(teacher), predict, folder, n_shards=len(SHARDS), progress=progress)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shards(folder)}


def test_a_node_that_is_killed_in_mid_run_costs_nothing_and_missing_shards_alone_are_made(
    cluster: Any, teacher: Checkpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    predict = TeacherLogits("torch", teacher)
    assert label("local", teacher, tmp_path / "local", predict) == len(SHARDS) == 6
    node = cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    kill = after_first_shard(lambda: cluster.remove_node(node, allow_graceful=False))
    doomed = Silent(predict, node.node_id, tmp_path / "asked")
    with caplog.at_level("INFO", logger="potstill"):
        assert label("ray", teacher, tmp_path / "ray", doomed, kill) == 6
    assert "is given back" in caplog.text
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    shards(tmp_path / "ray")[4].unlink()
    assert label("ray", teacher, tmp_path / "ray", predict) == 1
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_what_a_worker_raises_is_raised_here(cluster: Any, teacher: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"^no room in /scratch$"):
        label("ray", teacher, tmp_path, Failing(dies=False))


def test_workers_that_die_of_a_shard_are_an_error(
    cluster: Any, teacher: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "_TRIES", 1)
    with pytest.raises(PotstillError, match=r"died with shard \d in hand; is their memory enough"):
        label("ray", teacher, tmp_path, Failing(dies=True))


def test_a_worker_that_fits_no_node_is_an_error(
    cluster: Any, teacher: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(PotstillError, match="has 2 processors for a worker; give fewer --threads"):
        label("ray", teacher, tmp_path, Failing(dies=True))


def test_texts_that_are_tagged_on_the_cluster_are_the_same(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"film {number}" for number in range(2300)]
    found = []
    for name, pool in (("local", None), ("ray", ray.pool)):
        monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / name))
        found.append(list(augment(texts, Rules(n_iter=1), analyzer="whitespace", pool=pool)))
    assert found[0] == found[1]
