"""Makes a student for its vocabulary; trains a model, calibrates it and saves it with its ONNX file."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import TRAINING, write_json
from potstill.corpus.encoded import Encoded
from potstill.corpus.windows import Windows
from potstill.distributed import is_first
from potstill.errors import PotstillError
from potstill.progress import Progress
from potstill.tasks import find_task
from potstill.training.options import Optimisation
from potstill.training.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from potstill.training.trainer import Training

logger = logging.getLogger(__name__)

_FROM_DATA = ("vocab_size", "embedding_width", "analyzer", "reads_pairs")  # a student's fields that its data determines


def new_student(
    name: str,
    parameters: dict[str, Any],
    vocabulary: Vocabulary,
    labels: list[str],
    *,
    embedding_trainable: bool,
    seed: int,
    problem_type: str | None = None,
    reads_pairs: bool = False,
    analyzer: str = "",
) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
    """An untrained student with its word vectors, if it has any, and its tokenizer.

    :param name: in ``STUDENTS``.
    :param parameters: fields of its configuration; the others keep the recipe's values.
    :param seed: of its initial weights.
    :param problem_type: of the task that it learns; None: one label a text.
    :param reads_pairs: whether it reads two texts.
    :param analyzer: the morphological analyzer that split its text, if any: prediction runs it too.
    :raises PotstillError: when there is no such student, it has no such parameter, or it reads words where the
        vocabulary is of characters, or the other way round.
    """
    from transformers import set_seed

    from potstill.students import find_student, set_word_vectors, wrap_tokenizer

    student = find_student(name)
    known = vars(student.config_class())
    unknown = [parameter for parameter in parameters if parameter not in known or parameter in _FROM_DATA]
    if unknown:
        raise PotstillError(f"the student '{name}' has no parameter '{unknown[0]}'; take it out of its configuration")
    if student.reads_characters != (vocabulary.table is None):
        reads = "characters" if student.reads_characters else "words"
        raise PotstillError(
            f"the student '{name}' reads {reads}, which the text is not split into: emb_class in its configuration is "
            f"glove for words and characters for characters; correct it and run potstill preprocess again"
        )
    widths = {} if vocabulary.table is None else {"embedding_width": vocabulary.table.shape[1]}
    config = student.config_class(
        vocab_size=vocabulary.tokenizer.get_vocab_size(),
        analyzer=analyzer,
        **widths,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        problem_type=problem_type,
        reads_pairs=reads_pairs,
        **parameters,
    )
    set_seed(seed)
    model = student(config)
    if vocabulary.table is not None:
        set_word_vectors(model, vocabulary.table, embedding_trainable)
    return model, wrap_tokenizer(vocabulary.tokenizer, analyzer)


def fit(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    train_set: Encoded,
    valid_set: Encoded,
    options: Optimisation,
    work: Path,
    *,
    progress: Progress,
    description: str,
    rounds: int = 1,
    windows: Windows | None = None,
) -> "Training":
    """Train a model, fit its temperature on valid, and save it with its ONNX file and its training curve.

    :param work: a working folder; with the checkpoints of a killed call in it, training resumes from them.
    :param windows: of valid's texts, for the calibration of a model that reads long texts in windows; default: valid as
        it is.
    :param rounds: at most; one more follows, from the best weights, where accuracy on valid still rose at the end.
    """
    from potstill.students import StudentModel
    from potstill.training.trainer import train_model

    if isinstance(model, StudentModel):
        model.fit_statistics(train_set, progress)
    _set_first_logits(model, train_set)
    training: Training | None = None
    for number in range(rounds):
        if training:
            logger.info("%s: accuracy on valid is still rising: as many epochs again", description)
        best = {name: weight.clone() for name, weight in model.state_dict().items()} if training else {}
        latest = train_model(
            model,
            train_set,
            valid_set,
            options,
            work / f".checkpoints-{number}",
            progress=progress,
            description=description,
        )
        if training and not latest.is_better(training, options):
            model.load_state_dict(best)
        training = training.followed_by(latest, options) if training else latest
        if not training.is_rising:
            break
    assert training is not None
    if is_first():
        write_json(work / TRAINING, asdict(training))
        calibrate_and_save(model, tokenizer, valid_set, work, windows=windows)
    return training


def _set_first_logits(model: "PreTrainedModel", train_set: Encoded) -> None:
    """Let the last layer start from what the task says of the training set, where it has a bias."""
    import torch

    task = find_task(model.config.problem_type)
    logits = None if train_set.gold is None else task.first_logits(np.asarray(train_set.gold))
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    if logits is not None and layers and layers[-1].bias is not None and layers[-1].out_features == len(logits):
        with torch.no_grad():
            layers[-1].bias.copy_(torch.from_numpy(logits))


def calibrate_and_save(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    valid_set: Encoded,
    work: Path,
    *,
    windows: Windows | None = None,
    check: Callable[[NDArray[np.float32]], None] = lambda logits: None,
) -> None:
    """Fit a model's temperature and thresholds on valid, note them in its configuration and save it with its ONNX file.

    :param valid_set: with gold labels.
    :param windows: of the same texts, where they may be long.
    :param check: is given the logits on valid; what it raises keeps the model from being saved.
    """
    from potstill.export.onnx_files import save_model
    from potstill.teachers.inference import in_torch, predict_logits
    from potstill.training.calibration import calibrate

    assert valid_set.gold is not None
    task, encoded = find_task(model.config.problem_type), valid_set if windows is None else windows.encoded
    logits = predict_logits(in_torch(model), encoded, pad_id=model.config.pad_token_id or 0)
    logits = logits if windows is None else windows.join(logits, task)
    check(logits)
    calibration = calibrate(logits, valid_set.gold, task)
    # The logits stay as they are: they are what students learn.
    for name, value in calibration.fields().items():
        setattr(model.config, name, value)
    save_model(model, tokenizer, work)
