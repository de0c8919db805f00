"""What a run's last stages do: train the students, measure all models, pick the best."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from potstill.artifacts import MANIFEST, hash_file, hash_json, link_or_copy
from potstill.augment.analyzers import make_analyzer
from potstill.corpus.encoded import Encoded
from potstill.distillation.teacher import ensemble_stages
from potstill.errors import PotstillError
from potstill.evaluation.results import GOLD, Evaluation, read_evaluation, this_machine, write_evaluation
from potstill.progress import Progress
from potstill.reporting.card import write_card
from potstill.runs.contents import read_split, run_labels
from potstill.runs.options import DistillOptions
from potstill.training.options import Optimisation
from potstill.training.vocabulary import check_sources, find_vectors, is_from_teacher, load_vocabulary, split_vectors

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

ALL, TEACHER = "all", "teacher"  # every student of STUDENTS; the run's own teacher as a student
_STATIC_MODEL = (".safetensors", ".json")


def student_names(options: DistillOptions) -> dict[str, str]:
    """The students by the name of their folder and row in the table.

    :raises PotstillError: when two would have the same.
    """
    from potstill.students import STUDENTS

    names: dict[str, str] = {}
    for name in options.student:
        for one in STUDENTS if name == ALL else (name,):
            folder = one if one in STUDENTS else _transformer_name(one, options.layers)
            if names.setdefault(folder, one) != one:
                raise PotstillError(f"--student: {names[folder]} and {one} would have the same folder; leave one out")
    return names


def _transformer_name(name: str, layers: int) -> str:
    return Path(name).name + (f"-{layers}-layers" if layers else "")


def is_transformer(name: str) -> bool:
    """Whether a student is a transformer, and not one of ``STUDENTS``."""
    from potstill.students import STUDENTS

    return name not in STUDENTS


def reads_characters(name: str) -> bool:
    """Whether a student of ``STUDENTS`` reads characters, and not words."""
    from potstill.students import find_student

    return find_student(name).reads_characters


def check_names(options: DistillOptions) -> None:
    """Check the teachers, the students, the analyzer and the word vectors before anything expensive is done.

    An analyzer and vectors that no student of the command needs are not looked for.

    :raises PotstillError: when one is not there.
    """
    from potstill.students import find_student
    from potstill.teachers.checkpoints import check_transformer, read_config

    for name in (options.teacher, *options.ensemble):
        check_transformer(name)
    reads_words = False
    for name in student_names(options).values():
        if name == TEACHER:
            continue
        if not is_transformer(name):
            reads_words = reads_words or not reads_characters(name)
            continue
        try:
            found = getattr(read_config(name), "num_hidden_layers", 0)
        except PotstillError:
            if "/" not in name and not Path(name).exists():
                find_student(name)  # raises the list of the students there are
            raise
        if options.layers > found:
            raise PotstillError(f"--layers={options.layers}: {name} has {found} layers")
    if reads_words:
        check_sources(find_vectors(options.embedding_path))
    if (reads_words and options.word_analyzer) or (options.augment and not options.transfer):
        make_analyzer(options.analyzer)


def hash_vectors(source: str) -> list[str]:
    """What identifies word vectors: of each part the hash of its file or weights, else its name."""
    return [_hash_part(Path(part)) if not is_from_teacher(part) else part for part in split_vectors(source)]


def _hash_part(source: Path) -> str:
    if source.is_dir():
        return hash_json([hash_file(file) for file in sorted(source.rglob("*")) if file.suffix in _STATIC_MODEL])
    files = [source, source.with_suffix(".txt")] if source.suffix == ".npy" else [source]
    return hash_json([hash_file(file) for file in files]) if source.is_file() else str(source)


def student_optimisation(name: str, options: DistillOptions, baseline: bool) -> Optimisation:
    """How a student or its baseline is trained: a transformer with the teacher's learning rate."""
    optimisation = options.for_baseline if baseline else options.for_student
    return replace(optimisation, lr=options.teacher_lr) if is_transformer(name) else optimisation


def make_student(
    name: str, options: DistillOptions, baseline: bool, prepared: str, run: Path, progress: Progress, work: Path
) -> None:
    """``students/NAME`` learns the transfer set; ``students/NAME-gold``, its baseline, train's gold labels.

    :param prepared: the stage with its encoded text.
    """
    from potstill.training.fitting import fit

    model, tokenizer = _open_student(name, options, run, prepared)
    source = "train" if baseline else "transfer"
    train, valid = (Encoded.load(run / prepared / part) for part in (source, "valid"))
    optimisation = student_optimisation(name, options, baseline)
    description = f"training {Path(name).name}" + (" on gold labels" if baseline else "")
    fit(model, tokenizer, train, valid, optimisation, work, progress=progress, description=description)


def _open_student(
    name: str, options: DistillOptions, run: Path, prepared: str
) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
    from potstill.training.fitting import new_student

    labels = run_labels(run)
    if not is_transformer(name):
        vocabulary = load_vocabulary(run / prepared)
        return new_student(
            name,
            {},
            vocabulary,
            labels,
            embedding_trainable=options.embedding_trainable,
            seed=options.seed,
            analyzer="" if reads_characters(name) else options.word_analyzer,
        )
    from potstill.teachers.checkpoints import TextForm, open_encoder
    from potstill.teachers.layers import keep_layers

    form = TextForm(n_ctx=options.teacher_tokens)
    source = source_of(name, run)
    checkpoint = open_encoder(source, labels, dropout=options.teacher_dropout, form=form, seed=options.seed)
    if options.layers:
        keep_layers(checkpoint.model, options.layers)
    return checkpoint.model, checkpoint.tokenizer


def source_of(name: str, run: Path) -> str:
    """The checkpoint that a transformer student begins as."""
    return str(run / "teacher") if name == TEACHER else name


def make_evaluation(options: DistillOptions, run: Path, work: Path) -> None:
    """``evaluation``: every model's scores."""
    from potstill.evaluation.measuring import Labelled, Model, score_models

    test, valid = (Labelled.of(read_split(run, split)) for split in ("test", "valid"))
    models = [Model(f"teacher ({Path(options.teacher).name})", "teacher", "teacher")]
    for stage, name in ensemble_stages(options).items():
        models.append(Model(f"teacher ({Path(name).name})", "teacher", stage))
    for name in student_names(options):
        models.append(Model(name, "student", f"students/{name}"))
        if options.has_baseline:
            models.append(Model(f"{name}, gold labels alone", "baseline", f"students/{name}{GOLD}"))
    scores = score_models(models, run, test=test, valid=valid)
    write_evaluation(Evaluation(this_machine(), scores), work)


def make_best(run: Path, work: Path) -> None:
    """``student``: the distilled student that is best on valid, with its model card."""
    best = read_evaluation(run).best
    for file in sorted((run / best.folder).iterdir()):
        if file.is_file() and file.name != MANIFEST:  # a killed export may have left scratch
            link_or_copy(file, work / file.name)
    write_card(run, work)
    logger.info("student: %s, the best on valid", best.name)
