"""A model in ONNX Runtime: a teacher, or a student where the native core is not built or cannot run it."""

from potstill.corpus.safe_loading import open_tokenizer
from potstill.corpus.windows import WindowEncoder
from potstill.model_folder import ModelFolder
from potstill.runtime.padded_graph import PaddedGraph
from potstill.runtime.session import OnnxSession
from potstill.runtime.student_graph import StudentGraph


def open_onnx(folder: ModelFolder, precision: str | None, threads: int) -> StudentGraph | PaddedGraph:
    """Open a model's ONNX file and its tokenizer.

    :param threads: that work on one call.
    :raises PotstillError: when one is missing or damaged.
    """
    _, tokenizer_file, onnx_file = folder.onnx_files(precision)
    pad_id = folder.pad_id
    tokenizer = open_tokenizer(tokenizer_file)
    tokenizer.enable_truncation(folder.max_length)
    # One thread for a student: products this small are slower when they are shared. Several threads each take a batch.
    session = OnnxSession(onnx_file, len(folder.labels), 1 if folder.is_student else threads)
    if folder.is_student or session.inputs == ["input_ids"]:
        return StudentGraph(session, tokenizer, threads)
    return PaddedGraph(session, WindowEncoder(tokenizer, folder.max_length, folder.long_texts), pad_id, folder.task)
