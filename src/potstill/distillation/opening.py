"""Opening a job: its data, its teacher, and what is chosen by them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from potstill.augment.analyzers import find_analyzer
from potstill.corpus.splits import Corpus, load_corpus
from potstill.corpus.texts import Text
from potstill.distillation.checks import check_job
from potstill.distillation.text_length import choose_lengths
from potstill.distillation.unlabelled import LabellingJob, are_pairs, labelled_stage, provisional_corpus, read_labelled
from potstill.errors import PotstillError, require
from potstill.progress import Progress, silent
from potstill.runs.job import Job, Stage
from potstill.runs.options import DistillOptions
from potstill.runs.run import describe_state, open_run, resolve
from potstill.tasks import shown_label
from potstill.teachers import Teacher
from potstill.teachers.black_boxes import Told, check_kind_of_texts, is_black_box, open_black_box
from potstill.training.pretrained import AUTO

OpenTeacher = Callable[[list[str] | None], Teacher]
"""Opens a black box for the data's labels; None: there are none yet."""


@dataclass(frozen=True)
class Given:
    """What a Python caller gives as objects, not by a name or a path.

    :param corpus: labelled text.
    :param texts: without labels, single ones or pairs.
    :param teacher: opens the teacher.
    """

    corpus: Corpus | None = None
    texts: tuple[Text, ...] = ()
    teacher: OpenTeacher | None = None


NOTHING = Given()


def open_job(options: DistillOptions, progress: Progress = silent, given: Given = NOTHING) -> Job:
    """The job of a command; without gold labels the teacher labels the texts first.

    :raises PotstillError: for bad data or options.
    """
    _require()
    _check_sources(options, given)
    if has_gold(options, given):
        return _open_labelled(options, given, progress)
    labelling = open_labelling(options, progress, given)
    _resolved(options, provisional_corpus(labelling), labelling.teacher, progress)  # bad options cost nothing
    with open_run(labelling, [labelled_stage(labelling)]) as run:
        run.make_all()
    return _resolved(options, read_labelled(labelling), labelling.teacher, progress)


def has_gold(options: DistillOptions, given: Given = NOTHING) -> bool:
    """Whether people labelled the data."""
    return bool(options.data) or given.corpus is not None


def open_labelling(options: DistillOptions, progress: Progress = silent, given: Given = NOTHING) -> LabellingJob:
    """The first part of a run without gold labels.

    :raises PotstillError: when there is no text, or no teacher for it.
    """
    _require()
    _check_sources(options, given)
    paired = are_pairs(options, given.texts)
    check_kind_of_texts(options.teacher, paired=paired)
    return LabellingJob(options, _open_teacher(options, given, None, paired=paired), given.texts, progress)


def labelling_state(labelling: LabellingJob) -> tuple[Stage, str]:
    """The first stage of a run without gold labels, and whether it is done."""
    stage, inputs = next(resolve([labelled_stage(labelling)]))
    return stage, describe_state(labelling.folder / stage.name, inputs)


def _check_sources(options: DistillOptions, given: Given) -> None:
    """Check that there is text, and a teacher for it.

    :raises PotstillError: when there is none, or options contradict each other.
    """
    teacher = options.teacher
    if has_gold(options, given):
        if options.gold:
            raise PotstillError("--gold: labelled data has a test split already; leave one of the two out")
    elif not options.unlabelled and not given.texts:
        raise PotstillError(
            "no text to learn from: give --data (labelled text), or --unlabelled with a teacher that needs no labelled "
            "text, such as --teacher openai:MODEL"
        )
    elif not is_black_box(teacher):
        raise PotstillError(
            f"--teacher={teacher}: is fine-tuned on labelled text: give --data, or a teacher that needs none, such as "
            f"openai:MODEL"
        )
    elif options.transfer:
        raise PotstillError("--transfer: without --data the labels of its logits are not known; give --data too")
    if options.asks_for_money and options.engine != "local":
        raise PotstillError(f"--teacher={teacher}: is asked from here; leave --engine {options.engine} out")
    if is_black_box(teacher):
        for name in ("ensemble", "teacher_is_finetuned"):
            if getattr(options, name):
                raise PotstillError(f"--{name}: is for transformers, and --teacher={teacher} is none; leave it out")


def _require() -> None:
    require("train", "torch", "transformers", "datasets", "accelerate", "onnxscript", "sklearn", "pyarrow", "jinja2")


def _open_labelled(options: DistillOptions, given: Given, progress: Progress) -> Job:
    corpus = given.corpus or load_corpus(options.data, options.seed, options.data_columns, options.unknown_labels)
    is_asked = is_black_box(options.teacher)
    if is_asked and corpus.task.takes_several:
        raise PotstillError(
            f"--teacher={options.teacher}: gives one label a text, and the data has several: give a transformer"
        )
    if is_asked:
        check_kind_of_texts(options.teacher, paired=corpus.is_paired)
    teacher = _open_teacher(options, given, corpus, paired=corpus.is_paired) if is_asked else None
    return _resolved(options, corpus, teacher, progress)


def _open_teacher(options: DistillOptions, given: Given, corpus: Corpus | None, *, paired: bool) -> Teacher:
    """The black box of a run.

    :param corpus: gold labels; None: there are none.
    :param paired: whether the texts are pairs.
    """
    if given.teacher is not None:
        teacher = given.teacher(corpus.labels if corpus else None)
        teacher.check([example.content for example in corpus.splits["train"]] if corpus else given.texts)
        return teacher
    told = Told(
        corpus.labels if corpus else None,
        options.labels,
        options.hypothesis,
        options.language_model,
        paired,
        [(example.content, shown_label(example.label)) for example in corpus.splits["train"]] if corpus else [],
        options.seed,
    )
    return open_black_box(options.teacher, told)


def _resolved(options: DistillOptions, corpus: Corpus, teacher: Teacher | None, progress: Progress) -> Job:
    """The job with the options that its data and its teacher decide."""
    texts = [example.text for example in corpus.splits["train"]]
    chose_analyzer = options.analyzer == AUTO
    if chose_analyzer:
        options = replace(options, analyzer=find_analyzer(texts))
    if options.asks_for_money and options.rules.n_iter is None:
        options = replace(options, augment=False)  # each new text costs a request
    if not corpus.is_gold:  # a second loss, or a baseline, on the teacher's own labels says nothing new
        options = replace(options, gold_weight=options.gold_weight or 0.0, gold_epochs=options.gold_epochs or 0)
    options = choose_lengths(options, corpus, is_asked=teacher is not None)
    options = replace(options, measure=options.measure or corpus.task.default_measure)
    job = Job(options, corpus, progress, teacher)
    check_job(job, chose_analyzer=chose_analyzer)
    return job
