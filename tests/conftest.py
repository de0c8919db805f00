"""Shared small stand-ins: none is a pretrained model; they exercise the paths, not the accuracy."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import logging
import re
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from standins import SMALL, sentences, write_data, write_encoder, write_vectors, write_word_pieces

pytest_plugins = ["browsers", "hubs", "small_runs", "linear_students", "servers", "plain_student"]
pytest_plugins += ["core_builds", "core_students"]  # of the native core


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests, and the processes they start, leave the user's cache alone."""
    os.environ["POTSTILL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _same_numbers_on_every_processor() -> Iterator[None]:
    """Nothing is computed in bfloat16 unless a test asks for it, whatever the processor has."""
    from potstill.teachers import inference

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "has_native_bf16", lambda: False)
        yield


@pytest.fixture(autouse=True)
def _own_log_level() -> None:
    """No test sees the level that an earlier one's command has set."""
    logging.getLogger("potstill").setLevel(logging.NOTSET)


@pytest.fixture
def without_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where the native core is not built: students run in ONNX Runtime."""
    from potstill.runtime import core_graph

    monkeypatch.setitem(sys.modules, "potstill_core", None)
    core_graph.find_core.cache_clear()
    core_graph.tell_without_core.cache_clear()
    yield
    monkeypatch.undo()
    core_graph.find_core.cache_clear()


@pytest.fixture(scope="module")
def khaiii() -> Iterator[None]:
    """A module of khaiii's shape: each word is a noun, and a particle where it ends like one. A stand-in."""
    stand_in = ModuleType("khaiii")
    stand_in.__spec__ = ModuleSpec("khaiii", None)
    vars(stand_in)["KhaiiiApi"] = _KhaiiiApi
    sys.modules["khaiii"] = stand_in
    yield
    del sys.modules["khaiii"]


class _KhaiiiApi:
    """What of khaiii's published interface is used, and its refusal of a text without words."""

    def version(self) -> str:
        return "0.4"

    def analyze(self, text: str) -> list[SimpleNamespace]:
        if not text.strip():
            raise ValueError("no words")
        return [self._word(*match.span(), match[0]) for match in re.finditer(r"\S+", text)]

    def _word(self, begin: int, end: int, lex: str) -> SimpleNamespace:
        if lex.endswith("했다"):  # 하 and 았 in one syllable
            parts = [(lex[:-2], "NNG", begin, end - 2)] if lex[:-2] else []
            parts += [("하", "XSV", end - 2, end - 1), ("았", "EP", end - 2, end - 1), ("다", "EF", end - 1, end)]
        elif len(lex) > 1 and lex[-1] in "은는이가을를도":
            parts = [(lex[:-1], "NNG", begin, end - 1), (lex[-1], "JX", end - 1, end)]
        else:
            parts = [(lex, "NNG", begin, end)]
        morphs = [SimpleNamespace(lex=form, tag=tag, begin=at, length=to - at) for form, tag, at, to in parts]
        return SimpleNamespace(lex=lex, begin=begin, length=end - begin, morphs=morphs)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of 60, 20 and 20 sentences."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def tiny_vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GloVe text file of vectors of 8 numbers."""
    return write_vectors(tmp_path_factory.mktemp("vectors") / "glove.txt")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT encoder without a classification layer: a stand-in."""
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def tiny_cased_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT encoder whose tokenizer keeps upper case: a stand-in."""
    return write_encoder(tmp_path_factory.mktemp("cased"), lower=False)


@pytest.fixture(scope="session")
def tiny_electra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random ELECTRA encoder: a stand-in."""
    from transformers import ElectraConfig, ElectraModel

    folder = write_word_pieces(tmp_path_factory.mktemp("electra"))
    ElectraModel(ElectraConfig(vocab_size=400, embedding_size=16, **SMALL)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random RoBERTa encoder with a byte-level tokenizer of its own: a stand-in."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator([text for text, _ in sentences(60, 0)], vocab_size=400, special_tokens=special)
    tokenizer.save_model(str(folder))
    wrapped = RobertaTokenizerFast(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    wrapped.save_pretrained(folder)
    RobertaModel(RobertaConfig(vocab_size=400, **SMALL)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Callable[[dict[int, str]], Path]:
    """Makes a random BERT classifier with given labels: a stand-in for a fine-tuned teacher."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    def make(labels: dict[int, str]) -> Path:
        folder = tmp_path_factory.mktemp("classifier")
        torch.manual_seed(1)
        names = {label: index for index, label in labels.items()}
        config = BertConfig(vocab_size=400, id2label=labels, label2id=names, **SMALL)
        BertForSequenceClassification(config).save_pretrained(folder)
        AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(folder)
        return folder

    return make
