"""``teacher`` and ``teachers/NAME``: classifiers over the data's labels, with their ONNX files."""

import logging
from pathlib import Path

from tokenizers import Tokenizer

from potstill.artifacts import WEIGHTS, hash_file
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.errors import PotstillError
from potstill.progress import Progress
from potstill.runs.contents import read_gold, run_labels
from potstill.runs.options import DistillOptions
from potstill.training.options import Optimisation

logger = logging.getLogger(__name__)

_FEW_STEPS = 100  # of fine-tuning


def hash_weights(checkpoint: str) -> str | None:
    """The hash of a local checkpoint's weights; None for a name on the hub or of a package."""
    weights = Path(checkpoint) / WEIGHTS
    return hash_file(weights) if weights.is_file() else None


def is_finetuned_teacher(options: DistillOptions, run: Path) -> bool:
    """Whether the teacher is a classifier over the data's labels, to be taken as it is."""
    from potstill.teachers.checkpoints import is_finetuned, read_config

    return options.teacher_is_finetuned or is_finetuned(read_config(options.teacher), run_labels(run))


def make_teacher(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``teacher``: the fine-tuned checkpoint with its ONNX file."""
    from potstill.teachers.checkpoints import (
        TextForm,
        is_classifier,
        open_encoder,
        open_finetuned,
        own_labels,
        read_config,
    )
    from potstill.training.fitting import calibrate_and_save, fit

    labels = run_labels(run)
    is_taken = is_finetuned_teacher(options, run)
    if is_taken:
        logger.info("teacher: %s is fine-tuned on these labels: taken as it is", options.teacher)
        checkpoint = open_finetuned(options.teacher, labels)
    else:
        config = read_config(options.teacher)
        if is_classifier(config):
            others = ", ".join(own_labels(config))
            logger.info("teacher: %s has other labels (%s): fine-tuned with a new last layer", options.teacher, others)
        checkpoint = open_encoder(
            options.teacher,
            labels,
            dropout=options.teacher_dropout,
            form=TextForm(n_ctx=options.teacher_tokens),
            seed=options.seed,
        )
    tokenizer = limited(checkpoint.tokenizer.backend_tokenizer, checkpoint.tokenizer.model_max_length)
    valid = _encode_split(run, "valid", tokenizer)
    if is_taken:
        calibrate_and_save(checkpoint.model, checkpoint.tokenizer, valid, work)
        return
    train = _encode_split(run, "train", tokenizer)
    warn_of_few_steps(len(train), options.for_teacher)
    fit(
        checkpoint.model,
        checkpoint.tokenizer,
        train,
        valid,
        options.for_teacher,
        work,
        progress=progress,
        description="fine-tuning the teacher",
    )


def warn_of_few_steps(n_texts: int, optimisation: Optimisation) -> None:
    """Say that a teacher will learn little: its logits are then all alike, and a student learns nothing from them."""
    steps = optimisation.epoch * -(-n_texts // optimisation.batch_size)
    if max(steps, optimisation.min_steps) < _FEW_STEPS:
        logger.warning(
            "teacher: %d texts are only %d steps of fine-tuning, too few to learn from: give more --teacher_epochs, or "
            "a smaller --teacher_batch_size",
            n_texts,
            steps,
        )


def ensemble_stages(options: DistillOptions) -> dict[str, str]:
    """The further teachers by the names of their stages.

    :raises PotstillError: when two would have the same.
    """
    stages: dict[str, str] = {}
    for name in options.ensemble:
        stage = f"teachers/{Path(name).name}"
        if stages.setdefault(stage, name) != name:
            raise PotstillError(f"--ensemble: {stages[stage]} and {name} would have the same folder; leave one out")
    return stages


def make_ensemble_teacher(name: str, run: Path, work: Path) -> None:
    """``teachers/NAME``: a further teacher, a classifier over the data's labels, with its ONNX file.

    :param name: a folder or a name on the hub.
    """
    from potstill.teachers.checkpoints import open_finetuned
    from potstill.training.fitting import calibrate_and_save

    checkpoint = open_finetuned(name, run_labels(run))
    tokenizer = limited(checkpoint.tokenizer.backend_tokenizer, checkpoint.tokenizer.model_max_length)
    calibrate_and_save(checkpoint.model, checkpoint.tokenizer, _encode_split(run, "valid", tokenizer), work)


def _encode_split(run: Path, split: str, tokenizer: Tokenizer) -> Encoded:
    texts, ids = read_gold(run, split)
    return encode(texts, tokenizer, label_ids=ids)
