"""The application: HTTP paths to models. Opens no socket and reads no file but its own pages."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp

from potstill import __version__
from potstill.corpus.texts import Text, has_half, parts_of
from potstill.errors import PotstillError
from potstill.serving.batcher import Overloaded
from potstill.serving.explaining import MAX_WORDS, Word, leave_one_out_of, split_words, word_weights
from potstill.serving.guard import Guard
from potstill.serving.limits import Limits
from potstill.serving.metrics import CONTENT_TYPE, Metrics
from potstill.serving.models import Models, ServedModel, ServedPrediction
from potstill.serving.pages import SecondField, docs_page, try_page
from potstill.serving.schemas import (
    ErrorResponse,
    ExplainRequest,
    ExplainResponse,
    HealthResponse,
    ModelsResponse,
    PredictRequest,
    PredictResponse,
)
from potstill.tasks import NONE, shown_label

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description}
    for status, description in {
        401: "the token is missing or wrong",
        404: "there is no such model",
        408: "the body came too slowly",
        413: "the body is too large",
        422: "the body is not as described, a text is empty or too long, or the model reads pairs, or no pairs",
        503: "more texts wait than can be answered soon",
    }.items()
}


def create_app(models: Models, limits: Limits, metrics: Metrics, token: str | None, *, root_path: str = "") -> ASGIApp:
    """The whole server as an ASGI application.

    :param token: the bearer token that requests must have; None: none is asked for.
    :param root_path: below which a reverse proxy has the server, such as ``/clf``.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        models.close()

    app = FastAPI(
        title="Potstill",
        version=__version__,
        description="Distilled text classifiers over HTTP.",
        docs_url=None,  # FastAPI's own pages load their scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # Guard redirects, without the scheme and the host that a proxy may have changed
        lifespan=lifespan,
    )
    router = APIRouter()
    _add_prediction_paths(router, models, limits, metrics)
    _add_status_paths(router, models, metrics)
    app.include_router(router)
    _add_pages(app, models, root_path)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(AnyHTTPException, _http_error)
    app.add_exception_handler(Overloaded, _overloaded)
    app.add_exception_handler(Exception, _server_error)
    paths = [*app.openapi()["paths"], "/", "/docs", "/openapi.json"]
    return Guard(app, paths=paths, limits=limits, metrics=metrics, token=token, root_path=root_path)


def _add_prediction_paths(router: APIRouter, models: Models, limits: Limits, metrics: Metrics) -> None:
    """The paths that need a model's prediction."""

    @router.post("/predict", response_model=PredictResponse, responses=_REFUSALS, summary="Label one text or several")
    async def predict(request: PredictRequest) -> Response:
        """The label of each text or pair of texts, the probability of every label, and which model predicted."""
        began = time.perf_counter()
        model, texts = _model(models, request.model), request.all_texts()
        _check_texts(texts, model, limits)
        try:
            predictions = await model.predict(texts, request.at_least)
        except PotstillError as error:  # at_least names nothing
            raise HTTPException(422, str(error)) from None
        for served in predictions:
            answer = served.prediction.answer
            metrics.count_prediction(model.name, served.answered_by, NONE if answer is None else shown_label(answer))
        answers = [_prediction_body(served) for served in predictions]
        milliseconds = round(1000 * (time.perf_counter() - began), 3)
        return _json({"model": model.name, "milliseconds": milliseconds, "answers": answers})

    @router.post(
        "/explain", response_model=ExplainResponse, responses=_REFUSALS, summary="Which words carried the decision"
    )
    async def explain(request: ExplainRequest) -> Response:
        """Each word is left out in turn: how far does the label's probability fall? Only the named model is used."""
        model = _model(models, request.model)
        text = request.content
        _check_texts([text], model, limits)
        words = [split_words(part) for part in parts_of([text])]
        if (n_words := sum(map(len, words))) > MAX_WORDS:
            what = "text has" if isinstance(text, str) else "two texts have"
            raise HTTPException(422, f"the {what} {n_words} words: give at most {MAX_WORDS} to explain")
        without = leave_one_out_of(text, words)
        whole, *rows = await model.batcher.predict_many([text, *(each for part in without for each in part)])
        named = {}
        for name, of_part, n_left_out in zip(("words", "pair_words"), words, map(len, without), strict=False):
            named[name] = _word_bodies(of_part, word_weights(whole, rows[:n_left_out]))
            rows = rows[n_left_out:]
        prediction = model.to_prediction(whole).body()
        return _json({"model": model.name, **prediction, "method": "leave-one-out", **named})


def _add_status_paths(router: APIRouter, models: Models, metrics: Metrics) -> None:
    """The paths that describe the server."""

    @router.get("/models", response_model=ModelsResponse, responses={401: _REFUSALS[401]}, summary="The models")
    async def list_models() -> Response:
        """Every model by name, with its labels and its fallback; the first predicts where a request names none."""
        return _json({"models": [_model_body(model) for model in models]})

    @router.get("/health", response_model=HealthResponse, summary="Whether the server answers")
    async def health() -> Response:
        """Needs no token; the models are loaded before the server listens."""
        return _json({"status": "ok", "version": __version__})

    @router.get("/metrics", response_class=PlainTextResponse, responses={401: _REFUSALS[401]}, summary="Metrics")
    async def show_metrics() -> Response:
        """Requests, seconds, batch sizes and predictions, in Prometheus's text format."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)


def _add_pages(app: FastAPI, models: Models, root_path: str) -> None:
    """The two pages for people; neither loads an outside resource."""
    pages = {"/": try_page(_second_field(models)), "/docs": docs_page(app.openapi(), root_path)}
    for path, page in pages.items():
        response = HTMLResponse(page.html, headers={"content-security-policy": page.policy})
        app.add_api_route(path, lambda shown=response: shown, include_in_schema=False)


def _second_field(models: Models) -> SecondField:
    """Whether people are asked for a second text: where a model reads pairs; where all take both they may leave it."""
    kinds = [model.reads_pairs for model in models]
    return "required" if any(kinds) else "none" if False in kinds else "optional"


def _model(models: Models, name: str | None) -> ServedModel:
    model = models.get(name)
    if model is None:
        known = ", ".join(model.name for model in models)
        raise HTTPException(404, f"there is no model '{name}': choose one of {known}")
    return model


def _check_texts(texts: list[Text], model: ServedModel, limits: Limits) -> None:
    """Refuse texts that no model should get, and pairs or single texts that this model does not read.

    A pair is one text to the limit of their number; to that of their length it is as long as both.
    """
    if not texts:
        raise HTTPException(422, "there are no texts: give at least one")
    if len(texts) > limits.max_texts:
        raise HTTPException(422, f"there are {len(texts)} texts: give at most {limits.max_texts} at once")
    for number, text in enumerate(texts, start=1):
        is_pair = not isinstance(text, str)
        if model.reads_pairs is not None and is_pair != model.reads_pairs:
            raise HTTPException(422, f"text {number} is {_OTHER_KIND[is_pair].format(model=model.name)}")
        if is_pair == isinstance(texts[0], str):
            raise HTTPException(422, "some texts are pairs and some are not: send them in two requests")
        if not all(part.strip() for part in parts_of([text])):
            what = "a pair with an empty text" if is_pair else "empty"
            raise HTTPException(422, f"text {number} is {what}: give it words or leave it out")
        if any(has_half(part) for part in parts_of([text])):
            raise HTTPException(422, f"text {number} has half a surrogate pair: send valid Unicode")
        if (n := sum(map(len, parts_of([text])))) > limits.max_characters:
            raise HTTPException(422, f"text {number} has {n} characters: give at most {limits.max_characters}")


_OTHER_KIND = {
    False: 'a single text, and {model} reads pairs: give "text_pair" beside "text", or [text, text] in "texts"',
    True: 'a pair, and {model} reads single texts: give "text" alone, or strings in "texts"',
}
"""What is wrong with a text, by whether it is a pair."""


def _word_bodies(words: list[Word], weights: list[float]) -> list[dict[str, Any]]:
    """Words with their weights; none where there are no weights, as of a text of one word."""
    pairs = zip(words, weights, strict=False)
    return [{**asdict(word), "weight": round(weight, 6)} for word, weight in pairs]


def _prediction_body(served: ServedPrediction) -> dict[str, Any]:
    body = {**served.prediction.body(), "answered_by": served.answered_by}
    return body if served.student is None else {**body, "student": served.student.body()}


def _model_body(model: ServedModel) -> dict[str, Any]:
    body: dict[str, Any] = {"name": model.name, "labels": model.labels}
    if model.reads_pairs is not False:
        body["reads"] = "pairs" if model.reads_pairs else "both"
    if model.classifier.task.takes_several:
        body["several"] = True
    if model.classifier.thresholds:
        body["thresholds"] = model.classifier.thresholds
    if model.at_least:
        body["at_least"] = model.at_least
    if model.fallback is None:
        return body
    return {**body, "fallback": model.fallback.model.name, "below": model.fallback.cascade.below}


def _json(body: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response, not validated: its schema is for the documentation, and validation would cost time."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(content, status, headers, media_type="application/json")


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]  # without its input: that is the user's text, and may not even be valid Unicode
    place = ".".join(str(part) for part in first["loc"][1:])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return _json({"error": f"the body is not JSON: {first['ctx']['error']} at character {place}"}, 422)
    if first["type"] == "model_attributes_type":
        return _json({"error": "send a JSON object, with the header content-type: application/json"}, 422)
    return _json({"error": f"{place}: {message}" if place else message}, 422)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException)
    ours = {
        "Not Found": f"there is no such path: {request.scope.get('root_path', '')}/docs lists them",
        "There was an error parsing the body": "the body is not JSON in UTF-8, or is nested too deeply",
    }
    return _json({"error": ours.get(error.detail, error.detail)}, error.status_code, error.headers)


async def _overloaded(_: Request, __: Exception) -> Response:
    return _json({"error": "too many texts wait: ask again in a second"}, 503, {"retry-after": "1"})


async def _server_error(_: Request, __: Exception) -> Response:
    return _json({"error": "the server failed on this request; its log says why"}, 500)
