"""The JSON of requests and responses: the schemas that ``/docs`` and ``/openapi.json`` show."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator
from pydantic.config import JsonDict

from potstill.corpus.texts import Text

_EXAMPLE: JsonDict = {
    "examples": [{"text": "a film to remember"}, {"text": "It rains.", "text_pair": "The street is wet."}]
}


def _text_or_pair(item: Any) -> Text:
    """A text, or a list of two as the tuple that models take."""
    # In place of a union's own checks, whose errors name both types and neither what is wrong.
    if isinstance(item, str):
        return item
    if isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item):
        return item[0], item[1]
    raise ValueError("give a string, or for a pair of texts a list of two strings")


_TextOrPair = Annotated[Text, PlainValidator(_text_or_pair, json_schema_input_type=Text)]
_Second = Annotated[str | None, Field(description="The second text, where the model reads pairs of texts.")]


class PredictRequest(BaseModel):
    """One text or several, or pairs of texts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_EXAMPLE)

    text: Annotated[str | None, Field(description="One text.")] = None
    text_pair: _Second = None
    texts: Annotated[
        list[_TextOrPair] | None, Field(description="Several texts, or pairs as [text, text], in place of text.")
    ] = None
    model: Annotated[str | None, Field(description="The model to predict with; the first where none is named.")] = None
    at_least: Annotated[
        float | str | None,
        Field(description="Give no label below this probability, or the one that the model keeps under this name."),
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "PredictRequest":
        if (self.text is None) == (self.texts is None):
            raise ValueError('give either "text" or "texts"')
        if self.text is None and self.text_pair is not None:
            raise ValueError('"text_pair" goes with "text": in "texts" a pair is [text, text]')
        return self

    def all_texts(self) -> list[Text]:
        """The texts or pairs of texts, one or several."""
        return self.texts if self.texts is not None else [_content(self.text or "", self.text_pair)]


class ExplainRequest(BaseModel):
    """One text, or a pair of texts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_EXAMPLE)

    text: Annotated[str, Field(description="The text.")]
    text_pair: _Second = None
    model: Annotated[str | None, Field(description="The model to predict with; the first where none is named.")] = None

    @property
    def content(self) -> Text:
        """The text, or the pair of texts."""
        return _content(self.text, self.text_pair)


def _content(text: str, pair: str | None) -> Text:
    return text if pair is None else (text, pair)


class PredictionBody(BaseModel):
    """One model's prediction for a text."""

    label: Annotated[
        str | None, Field(description="The likeliest label; null where it is less likely than at_least.")
    ] = None
    labels: Annotated[
        list[str] | None, Field(description="In place of label, where a text may have several: all of them, or none.")
    ] = None
    reason: Annotated[str | None, Field(description="Why there is no label.")] = None
    probabilities: Annotated[dict[str, float], Field(description="The probability of each label, likeliest first.")]


class ServedPredictionBody(PredictionBody):
    """The prediction for one text, and which model made it."""

    answered_by: Annotated[
        str, Field(description="The model that made this prediction: the one named, or its fallback.")
    ]
    student: Annotated[
        PredictionBody | None,
        Field(description="Where the fallback predicted: the own prediction of the model that was named."),
    ] = None


class PredictResponse(BaseModel):
    """The predictions, one a text, in the order of the texts."""

    model: Annotated[str, Field(description="The model that the request named, or the first.")]
    milliseconds: Annotated[float, Field(description="From the request to its predictions, waiting included.")]
    answers: list[ServedPredictionBody]


class WordBody(BaseModel):
    """A word and what it adds to the label's probability."""

    word: str
    start: Annotated[int, Field(description="Where the word starts, in characters from 0.")]
    end: Annotated[int, Field(description="Where it ends: the first character after it.")]
    weight: Annotated[
        float, Field(description="How far the label's probability falls without the word; negative: it rises.")
    ]


class ExplainResponse(PredictionBody):
    """The words' weights in the prediction of the named model itself, without its fallback."""

    model: str
    method: Annotated[str, Field(description="How the weights are found: each word is left out in turn.")]
    words: Annotated[list[WordBody], Field(description="The words in their order; none for a text of one word.")]
    pair_words: Annotated[
        list[WordBody] | None,
        Field(description="Of a pair the words of the second text; words has those of the first."),
    ] = None


class ModelBody(BaseModel):
    """One of the served models."""

    name: str
    labels: list[str]
    reads: Annotated[
        Literal["pairs", "both"] | None,
        Field(description="pairs where it reads pairs of texts, both where pairs or single texts; else single texts."),
    ] = None
    several: Annotated[bool | None, Field(description="True where a text may have several labels, or none.")] = None
    thresholds: Annotated[
        dict[str, float] | None, Field(description="The confidences that potstill threshold found, by name.")
    ] = None
    at_least: Annotated[
        float | None, Field(description="The probability below which no label is given, unless a request says another.")
    ] = None
    fallback: Annotated[
        str | None, Field(description="The model that predicts where this one's confidence is below the threshold.")
    ] = None
    below: Annotated[
        float | None, Field(description="The threshold: the probability below which the fallback predicts.")
    ] = None


class ModelsResponse(BaseModel):
    """The models, the first of which predicts where a request names none."""

    models: list[ModelBody]


class HealthResponse(BaseModel):
    """The server is up."""

    status: str
    version: str


class ErrorResponse(BaseModel):
    """Why a request was refused, and how to fix it."""

    error: str
