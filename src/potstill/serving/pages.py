"""The pages for people: the templates of ``templates/``, rendered, and the policy that goes with each.

The page of the API is rendered from its OpenAPI description, which is read into plain data here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from potstill.serving.explaining import MAX_WORDS
from potstill.templating import name_inline, open_templates

SecondField = Literal["required", "optional", "none"]
"""Whether the page to try the models has a field for the second text of a pair, and whether it may stay empty."""

_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Page:
    """A page and its Content-Security-Policy.

    Style and script are inline and named by their hashes: no outside resource is loaded, and nothing injected runs.
    """

    html: str
    policy: str


@dataclass(frozen=True)
class Field:
    """A field of a JSON body.

    :param kind: its type, in words.
    :param parts: the fields within it, where it is an object or a list of objects.
    """

    name: str
    kind: str
    description: str
    parts: list["Field"]


@dataclass(frozen=True)
class Operation:
    """A path of the API with its method.

    :param example: a body of a request, as JSON; empty where the method has none.
    :param refusals: the descriptions of the error statuses.
    """

    method: str
    path: str
    summary: str
    description: str
    request_fields: list[Field]
    example: str
    response_fields: list[Field]
    refusals: dict[str, str]


def try_page(second: SecondField = "none") -> Page:
    """The page to try the models."""
    return _render("try.html", script=_read("try.js") + _read("ask_server.js"), second=second, model="")


def static_page(model: str, *, reads_pairs: bool) -> str:
    """The page to try a student that the browser itself runs; it names its policy within, as no server does.

    :param model: the student's name, to be shown.
    """
    more = {"script-src": "'self'", "worker-src": "'self'"}
    script, second = _read("try.js") + _read("ask_student.js"), "required" if reads_pairs else "none"
    return _render("try.html", script=script, more=more, second=second, model=model, most_words=MAX_WORDS).html


def service_worker(files: Sequence[str], version: str) -> str:
    """The script that keeps a static page's files in the browser.

    :param files: relative to the page, which is ``./``.
    :param version: of their contents; files of another one are dropped.
    """
    template = open_templates(_FOLDER, autoescape=False).get_template("sw.js")
    return template.render(files=json.dumps(list(files)), version=version) + "\n"


def docs_page(openapi: dict[str, Any], root_path: str = "") -> Page:
    """The page of the API.

    :param openapi: the API's OpenAPI description.
    :param root_path: what is before all its paths.
    """
    return _render("docs.html", operations=read_operations(openapi), root_path=root_path)


def read_operations(openapi: dict[str, Any]) -> list[Operation]:
    """The operations of an OpenAPI description, in its order."""
    return [
        _read_operation(openapi, path, method, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]


def _render(template: str, script: str = "", more: Mapping[str, str] | None = None, **values: Any) -> Page:
    """A page of a template.

    :param more: what its policy allows besides, where the page itself names the policy.
    """
    style = _read("page.css")
    sources = {
        "default-src": "'none'",
        "style-src": name_inline(style),
        "script-src": name_inline(script) if script else "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    if more is None:
        sources["frame-ancestors"] = "'none'"  # which a page cannot say
    for name, value in (more or {}).items():
        sources[name] = f"{sources[name]} {value}" if name in sources else value
    policy = "; ".join(f"{name} {value}" for name, value in sources.items())
    parts = {"style": Markup(style), "script": Markup(script), "policy": "" if more is None else policy}
    return Page(open_templates(_FOLDER).get_template(template).render(**parts, **values), policy)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _read_operation(openapi: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    request = _json_schema(openapi, operation.get("requestBody", {}))
    response = _json_schema(openapi, operation["responses"]["200"])
    return Operation(
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=_one_line(operation.get("description", "")),
        request_fields=_fields(openapi, request),
        example=json.dumps(request["examples"][0]) if request else "",
        response_fields=_fields(openapi, response),
        refusals={
            status: refusal["description"] for status, refusal in operation["responses"].items() if status != "200"
        },
    )


def _json_schema(openapi: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The schema of a request's or a response's JSON; empty where it has none."""
    schema = body.get("content", {}).get("application/json", {}).get("schema")
    return _resolve(openapi, schema) if schema else {}


def _fields(openapi: dict[str, Any], schema: dict[str, Any]) -> list[Field]:
    """The fields of a schema, with those within them."""
    fields = []
    for name, field in schema.get("properties", {}).items():
        kind, inner = _kind(openapi, field)
        fields.append(Field(name, kind, _one_line(field.get("description", "")), _fields(openapi, inner)))
    return fields


def _kind(openapi: dict[str, Any], field: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a field is, in words, and the schema of its parts; empty where it has none."""
    if choices := field.get("anyOf"):
        kinds = [_kind(openapi, choice) for choice in choices if choice.get("type") != "null"]
        optional = ", optional" if len(kinds) < len(choices) else ""
        return " or ".join(kind for kind, _ in kinds) + optional, kinds[0][1]
    if "$ref" in field:
        return "object", _resolve(openapi, field)
    if field["type"] == "array":
        if parts := field.get("prefixItems"):
            return f"list of {len(parts)} {_plural(_kind(openapi, parts[0])[0])}", {}
        kind, inner = _kind(openapi, field["items"])
        return f"list of {_plural(kind)}", inner
    if field["type"] == "object":
        return f"object of {field['additionalProperties']['type']}s", {}
    return field["type"], {}


def _plural(kind: str) -> str:
    """A kind in the plural, such as ``strings or lists of 2 strings``."""
    return " or ".join(re.sub(r"^\w+", r"\g<0>s", choice) for choice in kind.split(" or "))


def _resolve(openapi: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to."""
    resolved: dict[str, Any] = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return resolved


def _one_line(text: str) -> str:
    return " ".join(text.split())
