"""The JSON of requests and responses: the schemas that ``/docs`` and ``/openapi.json`` show."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

_EXAMPLE: JsonDict = {"examples": [{"text": "a film to remember"}]}


class PredictRequest(BaseModel):
    """One text or several."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_EXAMPLE)

    text: Annotated[str | None, Field(description="One text.")] = None
    texts: Annotated[list[str] | None, Field(description="Several texts, in place of text.")] = None
    model: Annotated[str | None, Field(description="The model to predict with; the first where none is named.")] = None
    at_least: Annotated[
        float | str | None,
        Field(description="Give no label below this probability, or the one that the model keeps under this name."),
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "PredictRequest":
        if (self.text is None) == (self.texts is None):
            raise ValueError('give either "text" or "texts"')
        return self

    def all_texts(self) -> list[str]:
        """The texts, one or several."""
        return self.texts if self.texts is not None else [self.text or ""]


class ExplainRequest(BaseModel):
    """One text."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_EXAMPLE)

    text: Annotated[str, Field(description="The text.")]
    model: Annotated[str | None, Field(description="The model to predict with; the first where none is named.")] = None


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


class ModelBody(BaseModel):
    """One of the served models."""

    name: str
    labels: list[str]
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
