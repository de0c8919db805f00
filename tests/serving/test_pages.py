"""The page of the API tells all that the API has, and nothing of it is markup by accident."""

from pathlib import Path

from potstill.serving.pages import docs_page
from potstill.serving.schemas import ExplainResponse, HealthResponse, ModelsResponse, PredictResponse
from servers import Serve

DESCRIPTION = {
    "paths": {"/a<b": {"get": {"summary": "Less < more", "responses": {"200": {"content": {}}}}}},
    "components": {"schemas": {}},
}


def test_every_path_field_and_refusal_stands_on_the_page(serve: Serve, student: Path) -> None:
    client = serve(f"one={student}")
    page, description = client.get("/docs").text, client.get("/openapi.json").json
    assert list(description["paths"]) == ["/predict", "/explain", "/models", "/health", "/metrics"]
    for path in description["paths"]:
        assert f"<code>{path}</code>" in page
    for name, schema in description["components"]["schemas"].items():
        if name != "ErrorResponse":  # told once, in words
            assert all(f"<code>{field}</code>" in page for field in schema["properties"])
    for status in (401, 404, 408, 413, 422, 503):
        assert f"<code>{status}</code>" in page
    assert "HTTPValidationError" not in str(description)  # refusals are ErrorResponse alone


def test_what_the_api_says_is_escaped() -> None:
    page = docs_page(DESCRIPTION).html
    assert "/a&lt;b" in page and "Less &lt; more" in page


def test_every_answer_is_as_the_api_says(serve: Serve, student: Path, teacher: Path) -> None:
    client = serve(f"small={student}", fallback=f"large={teacher}", below=1.0)
    PredictResponse.model_validate(client.post("/predict", {"texts": ["a", "b"]}).json, extra="forbid", strict=True)
    ExplainResponse.model_validate(client.post("/explain", {"text": "a b"}).json, extra="forbid", strict=True)
    ModelsResponse.model_validate(client.get("/models").json, extra="forbid", strict=True)
    HealthResponse.model_validate(client.get("/health").json, extra="forbid", strict=True)
