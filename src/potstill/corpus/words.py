"""Splits raw text into words, the same in augmentation, training and prediction; and a student's tokenizer.

Owns the word splitter and the ``tokenizer.json`` made from it. Knows nothing of word vectors' files.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.models import WordLevel, WordPiece
from tokenizers.normalizers import NFC, Lowercase, Normalizer, Replace
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import PreTokenizer, Split

PAD, UNK = "<pad>", "<unk>"
PAD_ID, UNK_ID = 0, 1
MASK = "[MASK]"  # BERT's and ELECTRA's mask token, and every student's
OTHER_MASKS = ("<mask>",)  # RoBERTa's
MASK_ID = 2
N_SPECIAL = 3
PIECE = "##"  # begins a piece of a word that is not its first

# The rules of the Penn Treebank, which GloVe and the taggers use. Contractions are split (do n't, it 's). A run of
# letters, a number or an abbreviation is one word, and so is every other sign. Text that is already split this way does
# not change. One splitter for augmentation, training and prediction: a student predicts on words like those that it was
# trained on. An analyzer tags these words; its own splitting would differ. Splitting at white space, as the reference
# does, costs 2.1 to 2.3 points on text as people type it (SST-2, bilstm and cnn), and nothing on text that comes split.
_WORD = (
    r"(?i:\p{L}+?(?=n['’]t(?!\p{L}))|n['’]t(?!\p{L}))"  # noqa: RUF001
    r"|['’](?i:s|re|ve|ll|d|m)(?!\p{L})"  # noqa: RUF001
    r"|(?:\p{L}\.){2,}"
    r"|(?i:mr|mrs|ms|dr|st|jr|vs)\.(?!\p{L})"
    r"|[\p{L}\p{M}_]+"
    r"|\p{N}+(?:[.,:]\p{N}+)*"
    r"|\.{2,}|-{2,}"
    r"|[^\s\p{L}\p{N}]"
)


def word_splitter() -> PreTokenizer:
    """Split text into words: ``pre_tokenize_str`` gives each with its character span."""
    return Split(Regex(_WORD), behavior="removed", invert=True)


def splitter_hash() -> str:
    """What distinguishes this splitter from other versions of it: eight hexadecimal digits."""
    return hashlib.sha256(_WORD.encode()).hexdigest()[:8]


def text_normalizer(lower: bool) -> Normalizer:
    """What every student's tokenizer does to a text first: no invisible characters, NFC, and lower case if wanted.

    Keyboards and file systems write é, or a syllable of Hangul, as one character or as its parts. Web pages have soft
    hyphens and spaces of no width in words; BERT's tokenizer drops those too.
    """
    steps = [Replace(Regex(r"\p{Cf}"), ""), NFC()]
    return Normalizers([*steps, Lowercase()] if lower else steps)


def is_students_normalizer(normalizer: Normalizer | None) -> bool:
    """Whether a tokenizer's normalizer is that of a student: this version's, or an earlier one's."""
    earlier = (None, Lowercase(), Normalizers([NFC()]), Normalizers([NFC(), Lowercase()]))
    forms = (*earlier, text_normalizer(lower=True), text_normalizer(lower=False))
    return _state(normalizer) in [_state(form) for form in forms]


def _state(normalizer: Normalizer | None) -> bytes | None:
    return None if normalizer is None else normalizer.__getstate__()


def build_tokenizer(words: Iterable[str], lower: bool) -> Tokenizer:
    """The tokenizer of a student.

    :param words: the vocabulary in id order, from id :data:`N_SPECIAL` on. With pieces (``##ing``) among them, a word
        that is not in it is cut into its longest first part that is, and pieces; without them it is unknown.
    :param lower: whether text is lower-cased first. The words must be as :func:`text_normalizer` gives them.
    """
    # All of it is in tokenizer.json, which Hugging Face and the runtime both read, so that both split text alike.
    vocabulary = {PAD: PAD_ID, UNK: UNK_ID, MASK: MASK_ID}
    for word in words:
        vocabulary.setdefault(word, len(vocabulary))
    has_pieces = any(is_piece(word) for word in vocabulary)
    tokenizer = Tokenizer((WordPiece if has_pieces else WordLevel)(vocabulary, unk_token=UNK))
    tokenizer.normalizer = text_normalizer(lower)
    tokenizer.pre_tokenizer = word_splitter()
    tokenizer.add_special_tokens([AddedToken(MASK, normalized=False)])
    return tokenizer


def is_piece(token: str) -> bool:
    """Whether a token of a vocabulary continues a word. A word has one sign or letters alone, so that none is."""
    return token.startswith(PIECE) and len(token) > len(PIECE)


def unify_masks(text: str, mask_token: str = MASK) -> str:
    """Replace every model's mask token by one: the student's, or another.

    New texts are made once, with one mask token, and serve every teacher and every student.
    """
    for token in (MASK, *OTHER_MASKS):
        if token != mask_token:
            text = text.replace(token, mask_token)
    return text


def as_words(text: str) -> str:
    """A text as its words, divided by spaces: equal for texts that differ in spacing, case or Unicode's form alone."""
    normalizer, splitter = _parts()
    return " ".join(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))


@cache
def _parts() -> tuple[Normalizer, PreTokenizer]:
    return text_normalizer(lower=True), word_splitter()  # a splitter takes 250 microseconds to make


def count_words(texts: Iterable[str], lower: bool) -> Counter[str]:
    """How often each word occurs, split as the student splits; mask tokens are left out."""
    splitter, normalizer = word_splitter(), text_normalizer(lower)
    counts: Counter[str] = Counter()
    for text in texts:
        text = unify_masks(text).replace(MASK, " ")
        counts.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    return counts
