"""Finished runs, small and on stand-ins, for several files of tests."""

import json
from pathlib import Path

import numpy as np
import pytest

from potstill.augment.sampling import Rules
from potstill.distillation.distill import distill
from potstill.runs.options import DistillOptions
from standins import sentences

SCRIPT = "<script>alert('x')</script>"
WORDS = {"anger": "furious", "joy": "happy", "fear": "scared"}
LABELS = {"0": "<i>bad</i>", "1": "good & fine"}


def small_run(data: Path, teacher: Path, vectors: Path, out: Path, **changes: object) -> DistillOptions:
    """The options of a run on small stand-ins, changed as given."""
    settings: dict[str, object] = {
        "data": str(data),
        "out": out,
        "teacher": str(teacher),
        "student": ("cnn",),
        "analyzer": "whitespace",
        "rules": Rules(n_iter=3),
        "embedding_path": str(vectors),
        "n_frequent": 50,
        "teacher_epochs": 1,
        "student_epochs": 2,
        "student_batch_size": 16,
        "gold_epochs": 1,
        "processes": 1,
    }
    return DistillOptions(**(settings | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path) -> Path:
    """A finished run of `cnn` on stand-ins. Read it only."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    distill(small_run(tiny_data, tiny_encoder, tiny_vectors, out))
    return out


def written(run: Path, *stages: str) -> list[int]:
    """When these stages' manifests were written."""
    return [(run / stage / "manifest.json").stat().st_mtime_ns for stage in stages]


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_vectors: Path) -> Path:
    """A run of two students and their baselines, on own, new and unlabelled texts with markup in them. Read it only."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "data").mkdir()
    for seed, (split, n) in enumerate((("train", 60), ("valid", 20), ("test", 20))):
        rows = [f"{text} {SCRIPT}\t{LABELS[label]}\n" for text, label in sentences(n, seed)]
        (folder / "data" / f"{split}.txt").write_text("".join(rows))
    (folder / "more.txt").write_text(f"an unseen line {SCRIPT}\n")
    out = folder / "run <b>"
    distill(
        DistillOptions(
            data=str(folder / "data"),
            out=out,
            teacher=str(tiny_encoder),
            student=("ngram", "cnn"),
            analyzer="whitespace",
            rules=Rules(n_iter=3, p_ng=0.5, p_window=0.2),
            unlabelled=(folder / "more.txt",),
            embedding_path=str(tiny_vectors),
            n_frequent=50,
            teacher_epochs=1,
            student_epochs=1,
            student_batch_size=16,
            gold_epochs=1,
            processes=1,
        )
    )
    return out


def write_several_labels(folder: Path, n_texts: int = 120) -> Path:
    """Each label has a word of its own, in texts of none, one, two or three of them."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for split, n in (("train", n_texts), ("valid", 24), ("test", 24)):
        lines = []
        for number in range(n):
            labels = [label for label in WORDS if generator.random() < 0.4]
            words = ["the", "film", str(number), *(WORDS[label] for label in labels)]
            lines.append(json.dumps({"text": " ".join(generator.permutation(words)), "labels": labels}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_vectors: Path) -> Path:
    """A run of two students and their baselines, on texts of several labels. Read it only."""
    folder = tmp_path_factory.mktemp("several")
    changes = {"student": ("cnn", "ngram"), "teacher_epochs": 40, "teacher_lr": 3e-3, "gold_epochs": 5}
    changes |= {"student_epochs": 40, "student_lr": 1e-2}
    options = small_run(write_several_labels(folder / "data"), tiny_encoder, tiny_vectors, folder / "run", **changes)
    distill(options)
    return folder / "run"
