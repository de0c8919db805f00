"""``teachers/NAME`` and ``teacher``: classifiers over the data's labels, with their ONNX files."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import LONG_TEXTS
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.windows import WindowEncoder, Windows
from potstill.distillation.black_box import black_box_stage
from potstill.distillation.convergence import report_convergence
from potstill.distillation.inputs import hash_weights, training_inputs
from potstill.errors import PotstillError
from potstill.runs.contents import read_gold
from potstill.runs.job import Job, Stage
from potstill.runs.options import DistillOptions
from potstill.tasks import SINGLE_LABEL
from potstill.training.options import Optimisation

if TYPE_CHECKING:
    from potstill.teachers.checkpoints import Checkpoint

logger = logging.getLogger(__name__)

# After 21 steps on 400 rows of SNIPS the logits' standard deviation was 0.07: the student had 38%, its baseline 76%.
_FEW_STEPS = 100  # of fine-tuning
_MOST_ROUNDS = 3  # of the default epochs: a bound, which no data set at hand has reached
_WIDE = 768  # numbers a token of an encoder whose configuration does not say


def teacher_stages(job: Job) -> Iterator[Stage]:
    """The further teachers, then the run's own: a wrong name is found before anything expensive."""
    # A stage for each, so that the table has a row for every model that taught.
    if job.black_box is not None:
        yield black_box_stage(job)
        return
    for teacher in find_ensemble(job.options):
        inputs = {
            "teacher": teacher.source,
            "teacher_weights": hash_weights(teacher.source),
            "long_texts": job.options.long_texts,
        }
        yield Stage(teacher.folder, ("data",), inputs, teacher.build)
    yield Stage("teacher", ("data",), _teacher_inputs(job), _make_teacher)


@dataclass(frozen=True)
class EnsembleTeacher:
    """A further teacher, a classifier over the data's labels.

    :param source: a folder or a name on the hub.
    """

    source: str

    @property
    def folder(self) -> str:
        """Its folder in the run."""
        return f"teachers/{Path(self.source).name}"

    def build(self, job: Job, work: Path) -> None:
        """Write it with its ONNX file, its logits in the order of the data's labels."""
        _take_as_it_is(self.source, job, work)


def find_ensemble(options: DistillOptions) -> list[EnsembleTeacher]:
    """The further teachers.

    :raises PotstillError: when two would have the same folder.
    """
    teachers: dict[str, EnsembleTeacher] = {}
    for teacher in map(EnsembleTeacher, options.ensemble):
        other = teachers.setdefault(teacher.folder, teacher)
        if other != teacher:
            raise PotstillError(
                f"--ensemble: {other.source} and {teacher.source} would have the same folder; leave one out"
            )
    return list(teachers.values())


def _teacher_inputs(job: Job) -> dict[str, Any]:
    options = job.options
    inputs: dict[str, Any] = {
        "teacher": options.teacher,
        "teacher_weights": hash_weights(options.teacher),
        "teacher_is_finetuned": _is_finetuned(job),
        "long_texts": options.long_texts,
    }
    if not inputs["teacher_is_finetuned"]:
        inputs |= {"teacher_tokens": options.most_tokens, "teacher_dropout": options.teacher_dropout}
        inputs |= training_inputs("teacher", _optimisation(job)) | {"teacher_rounds": _rounds(job)}
    return inputs


def _rounds(job: Job) -> int:
    """How often its epochs may follow one another while it still rises; epochs that are given are not exceeded."""
    return _MOST_ROUNDS if job.options.teacher_epochs is None else 1


def _optimisation(job: Job) -> Optimisation:
    """How it is fine-tuned: by its width, the texts and the labels where options do not say."""
    n_texts = len(job.corpus.splits["train"])
    return job.options.for_teacher(n_texts=n_texts, n_labels=len(job.labels), width=encoder_width(job.options.teacher))


def encoder_width(name: str) -> int:
    """Numbers a token of an encoder.

    :param name: a folder, a name on the hub, or a package.
    """
    from potstill.teachers.checkpoints import read_config

    config = read_config(name)
    width: int = getattr(config, "hidden_size", None) or getattr(config, "dim", None) or _WIDE
    return width


def _is_finetuned(job: Job) -> bool:
    """Whether the teacher is a classifier over the data's labels, to be used as it is."""
    from potstill.teachers.checkpoints import is_finetuned, read_config

    return job.options.teacher_is_finetuned or is_finetuned(
        read_config(job.options.teacher), job.labels, job.task.problem_type
    )


def _make_teacher(job: Job, work: Path) -> None:
    if _is_finetuned(job):
        logger.info("teacher: %s is fine-tuned on these labels: used as it is", job.options.teacher)
        _take_as_it_is(job.options.teacher, job, work)
    else:
        _fine_tune(job, work)


def _take_as_it_is(source: str, job: Job, work: Path) -> None:
    """Write a fine-tuned teacher as it is, its logits in the order of the data's labels.

    :raises PotstillError: when it is below chance on valid: its labels are the wrong way round, or mean something else.
    """
    from potstill.teachers.checkpoints import open_finetuned
    from potstill.teachers.label_matching import check_match
    from potstill.teachers.trial import try_export
    from potstill.training.fitting import calibrate_and_save

    checkpoint = open_finetuned(source, job.labels, job.task.problem_type)
    windows = _windows(checkpoint, job)
    try_export(source, checkpoint.model, checkpoint.tokenizer.model_input_names)
    valid = _encode_split(job, "valid", _limited_tokenizer(checkpoint))

    def check(logits: NDArray[np.float32]) -> None:
        assert checkpoint.match is not None and valid.gold is not None
        if job.task.takes_several:  # each label is decided alone: none can be in another's place by chance
            logger.info("teacher: %s", checkpoint.match)
            return
        checked = check_match(checkpoint.match, job.task.decide(logits), valid.gold, source)
        logger.log(logging.WARNING if checked.is_doubtful else logging.INFO, "teacher: %s", checked)

    calibrate_and_save(checkpoint.model, checkpoint.tokenizer, valid, work, windows=windows, check=check)


def _fine_tune(job: Job, work: Path) -> None:
    from potstill.training.fitting import fit

    checkpoint = _open_encoder(job)
    tokenizer = _limited_tokenizer(checkpoint)
    train, valid = (_encode_split(job, split, tokenizer) for split in ("train", "valid"))
    optimisation = _optimisation(job)
    warn_of_few_steps(len(train), optimisation)
    training = fit(
        checkpoint.model,
        checkpoint.tokenizer,
        train,
        valid,
        optimisation,
        work,
        progress=job.progress,
        description="fine-tuning the teacher",
        rounds=_rounds(job),
        windows=_windows(checkpoint, job),
    )
    report_convergence(checkpoint, training, tokenizer, job, work)


def _open_encoder(job: Job) -> "Checkpoint":
    """The encoder with a new last layer."""
    from potstill.teachers.checkpoints import TextForm, is_classifier, open_encoder, read_config
    from potstill.teachers.label_matching import own_labels

    options = job.options
    config = read_config(options.teacher)
    if is_classifier(config):
        has = f"other labels ({', '.join(own_labels(config))})"
        if (config.problem_type or SINGLE_LABEL) != job.task.problem_type:
            has = f"another task ({config.problem_type})"
        logger.info("teacher: %s has %s: fine-tuned with a new last layer", options.teacher, has)
    form = TextForm(n_ctx=options.most_tokens)
    return open_encoder(
        options.teacher,
        job.labels,
        dropout=options.teacher_dropout,
        form=form,
        seed=options.seed,
        problem_type=job.task.problem_type,
    )


def warn_of_few_steps(n_texts: int, optimisation: Optimisation) -> None:
    """Warn of too few steps: the teacher's logits are then nearly equal, and a student learns nothing from them."""
    steps = optimisation.epoch * -(-n_texts // optimisation.batch_size)
    if max(steps, optimisation.min_steps) < _FEW_STEPS:
        logger.warning(
            "teacher: %d texts are only %d steps of fine-tuning, too few to learn from: give more --teacher_epochs, or "
            "a smaller --teacher_batch_size",
            n_texts,
            steps,
        )


def _limited_tokenizer(checkpoint: "Checkpoint") -> Tokenizer:
    return limited(checkpoint.tokenizer.backend_tokenizer, checkpoint.tokenizer.model_max_length)


def _windows(checkpoint: "Checkpoint", job: Job) -> Windows:
    """The windows of valid's texts; how the teacher reads long ones is noted in its configuration."""
    n_ctx, how = checkpoint.tokenizer.model_max_length, job.options.long_texts
    setattr(checkpoint.model.config, LONG_TEXTS, how)
    texts, _ = read_gold(job.folder, "valid")
    windows = WindowEncoder(checkpoint.tokenizer.backend_tokenizer, n_ctx, how)(texts)
    if windows.n_long:
        logger.info(
            "teacher: %d of valid's %d texts are longer than the %d tokens that it reads at once: it reads them in "
            "windows (--long_texts=%s)",
            windows.n_long,
            len(windows),
            n_ctx,
            how,
        )
    return windows


def _encode_split(job: Job, split: str, tokenizer: Tokenizer) -> Encoded:
    texts, gold = read_gold(job.folder, split)
    return encode(texts, tokenizer, gold=gold)
