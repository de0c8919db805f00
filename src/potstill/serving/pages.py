"""The pages for people, each one file without any outside resource, and the policy that holds it to that.

The files of ``templates/`` are put together here; the page of the API is written from its OpenAPI description.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Page:
    """A page and its Content-Security-Policy: its own style and script by their hashes, and nothing else."""

    html: str
    policy: str


def try_page() -> Page:
    """The page to try the models."""
    return _page("Try the model", _read("try.html"), script=_read("try.js"))


def docs_page(openapi: dict[str, Any]) -> Page:
    """The page of the API.

    :param openapi: the API's OpenAPI description.
    """
    operations = [
        _operation(openapi, path, method, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return _page("The API", _read("docs.html").replace("{{operations}}", "\n".join(operations)))


def _page(title: str, body: str, script: str = "") -> Page:
    style = _read("page.css")
    parts = {"title": title, "style": style, "body": body, "script": f"<script>{script}</script>" if script else ""}
    html = _read("frame.html")
    for name, part in parts.items():
        html = html.replace("{{" + name + "}}", part)
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script) if script else "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return Page(html, "; ".join(f"{name} {value}" for name, value in policy.items()))


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    """How a policy names an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _operation(openapi: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    """One path of the API: what it does, what it takes, what it gives."""
    parts = [
        f'<section><h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>',
        f"<p><strong>{escape(operation['summary'])}.</strong> {_prose(operation.get('description', ''))}</p>",
    ]
    taken = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if taken:
        schema = _resolve(openapi, taken)
        example = json.dumps(schema["examples"][0])
        parts.append(f"<h3>Takes</h3>{_fields(openapi, schema)}<pre><code>{escape(example)}</code></pre>")
    given = operation["responses"]["200"]["content"].get("application/json", {}).get("schema")
    if given:
        parts.append(f"<h3>Gives</h3>{_fields(openapi, _resolve(openapi, given))}")
    refusals = {status: answer for status, answer in operation["responses"].items() if status != "200"}
    if refusals:
        rows = [(f"<code>{status}</code>", escape(answer["description"])) for status, answer in refusals.items()]
        parts.append(f"<h3>Refuses</h3>{_list(rows, 'short')}")
    return "\n".join([*parts, "</section>"])


def _fields(openapi: dict[str, Any], schema: dict[str, Any]) -> str:
    """The fields of a schema, those of its parts below them."""
    rows = []
    for name, field in schema["properties"].items():
        kind, inner = _kind(openapi, field)
        text = _prose(field.get("description", ""))
        rows.append(
            (
                f'<code>{escape(name)}</code> <span class="kind">{kind}</span>',
                text + (_fields(openapi, inner) if inner else ""),
            )
        )
    return _list(rows)


def _kind(openapi: dict[str, Any], field: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """What a field is, in words, and the schema of its parts if it has any."""
    for choice in field.get("anyOf", []):
        if choice.get("type") != "null":
            kind, inner = _kind(openapi, choice)
            return f"{kind}, optional", inner
    if "$ref" in field:
        return "object", _resolve(openapi, field)
    if field["type"] == "array":
        kind, inner = _kind(openapi, field["items"])
        return f"list of {kind}s", inner
    if field["type"] == "object":
        return f"object of {field['additionalProperties']['type']}s", None
    return field["type"], None


def _resolve(openapi: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to."""
    resolved: dict[str, Any] = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return resolved


def _list(rows: list[tuple[str, str]], style: str = "fields") -> str:
    return f'<dl class="{style}">' + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows) + "</dl>"


def _prose(text: str) -> str:
    return escape(" ".join(text.split()))
