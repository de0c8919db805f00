"""The students by name. Importing this registers them with Hugging Face's ``Auto`` classes."""

from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from potstill.errors import unknown_name
from potstill.students.base import MorphemeTokenizer, StudentConfig, StudentModel, set_word_vectors, wrap_tokenizer
from potstill.students.bilstm import BiLSTMForSequenceClassification
from potstill.students.char_ngram import CharNGramForSequenceClassification
from potstill.students.cnn import CNNForSequenceClassification
from potstill.students.densenet_cnn import DenseNetCNNForSequenceClassification
from potstill.students.densenet_dsa import DenseNetDSAForSequenceClassification
from potstill.students.ngram import NGramForSequenceClassification

__all__ = [
    "STUDENTS",
    "StudentConfig",
    "StudentModel",
    "find_student",
    "register",
    "set_word_vectors",
    "wrap_tokenizer",
]

STUDENTS: dict[str, type[StudentModel]] = {
    "cnn": CNNForSequenceClassification,
    "densenet-cnn": DenseNetCNNForSequenceClassification,
    "densenet-dsa": DenseNetDSAForSequenceClassification,
    "bilstm": BiLSTMForSequenceClassification,
    "ngram": NGramForSequenceClassification,
    "char-ngram": CharNGramForSequenceClassification,
}


def find_student(name: str) -> type[StudentModel]:
    """The student of a name.

    :raises PotstillError: listing the names, when there is none.
    """
    if name not in STUDENTS:
        raise unknown_name("student", name, list(STUDENTS))
    return STUDENTS[name]


def register(student: type[StudentModel]) -> None:
    """Let Hugging Face's ``Auto`` classes find a student by its configuration's ``model_type``."""
    config = student.config_class
    AutoConfig.register(config.model_type, config, exist_ok=True)
    AutoModelForSequenceClassification.register(config, student, exist_ok=True)
    AutoTokenizer.register(config, fast_tokenizer_class=PreTrainedTokenizerFast, exist_ok=True)


for _student in STUDENTS.values():
    register(_student)
AutoTokenizer.register(
    StudentConfig, fast_tokenizer_class=MorphemeTokenizer, exist_ok=True
)  # tokenizer_config.json names the class
