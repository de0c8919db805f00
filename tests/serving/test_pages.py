"""The page of the API shows all that the API has, and nothing of it is markup by accident."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from potstill.serving.pages import Field, Operation, Page, docs_page, read_operations, try_page
from potstill.serving.schemas import ExplainResponse, HealthResponse, ModelsResponse, PredictResponse
from servers import Serve


def body_of(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


DESCRIPTION = {
    "paths": {
        "/a<b": {
            "post": {
                "summary": "Less < more",
                "description": "Two\n    <lines>.",
                "requestBody": body_of("Request"),
                "responses": {"200": body_of("Response"), "422": {"description": "not <that>"}},
            }
        },
        "/bare": {"get": {"summary": "Nothing but a summary", "responses": {"200": {"content": {}}}}},
    },
    "components": {
        "schemas": {
            "Request": {
                "properties": {"a<": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "one <text>"}},
                "examples": [{"a<": "</pre>"}],
            },
            "Response": {"properties": {"rows": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}}},
            "Row": {"properties": {"shares": {"type": "object", "additionalProperties": {"type": "number"}}}},
        }
    },
}


def test_every_path_field_and_refusal_is_on_the_page(serve: Serve, student: Path) -> None:
    client = serve(f"one={student}")
    page, description = client.get("/docs").text, client.get("/openapi.json").json
    assert list(description["paths"]) == ["/predict", "/explain", "/models", "/health", "/metrics"]
    for path in description["paths"]:
        assert f"<code>{path}</code>" in page
    for name, schema in description["components"]["schemas"].items():
        if name != "ErrorResponse":  # described once, in words
            assert all(f"<code>{field}</code>" in page for field in schema["properties"])
    for status in (401, 404, 408, 413, 422, 503):
        assert f"<code>{status}</code>" in page
    assert "HTTPValidationError" not in str(description)  # refusals are ErrorResponse alone


def test_text_of_the_api_is_escaped() -> None:
    page = docs_page(DESCRIPTION).html
    for text in ("/a&lt;b", "Less &lt; more", "Two &lt;lines&gt;.", "not &lt;that&gt;", "a&lt;", "one &lt;text&gt;"):
        assert text in page
    assert page.count("</pre>") == 1 and "&lt;/pre&gt;" in page


def test_the_description_is_read_into_plain_data_with_the_fields_within_fields() -> None:
    row = Field("shares", "object of numbers", "", [])
    assert read_operations(DESCRIPTION) == [
        Operation(
            method="POST",
            path="/a<b",
            summary="Less < more",
            description="Two <lines>.",
            request_fields=[Field("a<", "string, optional", "one <text>", [])],
            example='{"a<": "</pre>"}',
            response_fields=[Field("rows", "list of objects", "", [row])],
            refusals={"422": "not <that>"},
        ),
        Operation("GET", "/bare", "Nothing but a summary", "", [], "", [], {}),
    ]


def test_a_list_of_several_kinds_is_read_as_one(serve: Serve, student: Path) -> None:
    description = serve(f"one={student}").get("/openapi.json").json
    predict = next(each for each in read_operations(description) if each.path == "/predict")
    kinds = {field.name: field.kind for field in predict.request_fields}
    assert kinds["texts"] == "list of strings or lists of 2 strings, optional"
    assert (kinds["at_least"], kinds["text_pair"]) == ("number or string, optional", "string, optional")


@pytest.mark.parametrize("page", [try_page(), try_page("required"), docs_page(DESCRIPTION)])
def test_the_policy_names_the_inline_style_and_script_by_their_hashes(page: Page) -> None:
    policy = dict(part.split(" ", 1) for part in page.policy.split("; "))
    for tag in ("style", "script"):
        inline = re.search(f"<{tag}>(.*?)</{tag}>", page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode() if inline else ""
        assert policy[f"{tag}-src"] == (f"'sha256-{digest}'" if inline else "'none'")


def test_every_response_is_as_the_api_says(serve: Serve, student: Path, teacher: Path) -> None:
    client = serve(f"small={student}", fallback=f"large={teacher}", below=1.0)
    PredictResponse.model_validate(client.post("/predict", {"texts": ["a", "b"]}).json, extra="forbid", strict=True)
    ExplainResponse.model_validate(client.post("/explain", {"text": "a b"}).json, extra="forbid", strict=True)
    ModelsResponse.model_validate(client.get("/models").json, extra="forbid", strict=True)
    HealthResponse.model_validate(client.get("/health").json, extra="forbid", strict=True)
