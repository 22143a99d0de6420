"""The API as OpenAPI 3.1, and as a page for people; both from the table of endpoints. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from http import HTTPStatus
from typing import Any

import msgspec

from sfa_engine import __version__
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.problem import MEDIA_TYPE

ANY = (400, 408, 421, 429, 431)  # 400: the request line and the headers cannot be read
SIGNED_IN = (401, 403)
BODY = (413, 415, 422)
CHANGING = (403,)  # of another site's page
VERB = (404, 409, 422, 500, 501, 502, 503)


def statuses(endpoint: Endpoint) -> list[int]:
    """Return the statuses of the problems that an endpoint may answer with."""
    found = {*ANY, *endpoint.statuses, 401, 403}  # a wrong token, no first user
    if endpoint.has_body:
        found.update(BODY)
    if endpoint.verb is not None:
        found.update(VERB)
    if endpoint.method != "GET":
        found.update((*CHANGING, 503))
    return sorted(found)


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    listed = [one for one in endpoints if not one.is_page]
    bodies = [each.body for each in listed if each.body is not None]
    schemas, components = msgspec.json.schema_components(
        bodies, ref_template="#/components/schemas/{name}"
    )
    by_body = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in listed:
        body = by_body[one.body] if one.body is not None else None
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, body)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sound Forge Alchemy", "version": __version__},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


_TEXT = {"type": "string"}
_CONDITIONS = ("Range", "If-Range", "If-None-Match", "If-Modified-Since")
_PROBLEM = {
    "type": "object",
    "description": "An error, as RFC 9457 has it.",
    "required": ["type", "title", "status", "detail", "hint", "code"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and with which value."},
        "hint": {"type": "string", "description": "What to do about it; may be empty."},
        "code": {"type": "string", "description": "Stable, for programs."},
    },
}


def _operation(one: Endpoint, body: dict[str, Any] | None) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    parameters += [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in one.variables
    ]
    parameters += [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
        for name in (_CONDITIONS if one.has_parts else ())
    ]
    if one.formats:
        schema = {"type": "string", "enum": [*one.formats], "default": one.formats[0]}
        parameters.append({"name": "format", "in": "query", "required": False, "schema": schema})
    if one.verb is not None and one.method == "GET":
        parameters += _query(one)
    if one.verb is not None and one.method != "GET":
        body = _object(one)
    success = str(one.success)
    operation: dict[str, Any] = {
        "summary": one.sentence,
        "operationId": _identifier(one),
        "parameters": parameters,
        "responses": {success: {"description": "Done."}, **_problems(one)},
    }
    if one.is_json:
        kind = "object" if one.verb is None else ["object", "array"]  # some verbs return a list
        content = {"application/json": {"schema": {"type": kind}}}
        operation["responses"][success]["content"] = content
    if one.sends:
        operation["responses"].update(_files(one))
    if one.takes:
        operation["requestBody"] = {"required": True, "content": {one.takes: {}}}
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    if one.right is not None:
        operation["security"] = [{"token": []}]
        operation["x-scope"] = one.right.scope
        operation["x-role"] = one.right.least
    return operation


def _files(one: Endpoint) -> dict[str, Any]:
    """Return the answers that are bytes of files, with their headers."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {one.sends: binary}
    names = ("Content-Disposition", "Content-Length")
    whole = {"description": "The file.", "content": content, "headers": _headers(names)}
    if not one.has_parts:
        return {str(one.success): whole}
    kept = ("ETag", "Last-Modified")
    if "flac" in one.formats:
        whole["content"] = {**content, "audio/flac": binary}
    whole["headers"] = _headers((*names, *kept, "Accept-Ranges"))
    ranged = _headers((*names, *kept, "Content-Range"))
    return {
        str(one.success): whole,
        "206": {"description": "A part of the file.", "content": content, "headers": ranged},
        "304": {"description": "The client has the file.", "headers": _headers(kept)},
    }


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"schema": _TEXT} for name in names}


def _problems(one: Endpoint) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses(one)
    }


def _query(one: Endpoint) -> Iterator[dict[str, Any]]:
    assert one.verb is not None
    for param in one.verb.params:
        yield {
            "name": param.name,
            "in": "query",
            "required": param.required,
            "schema": _with_default(param.type, param.default),
        }


def _object(one: Endpoint) -> dict[str, Any]:
    assert one.verb is not None
    params = one.verb.params
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {each.name: _with_default(each.type, each.default) for each in params},
        "required": [each.name for each in params if each.required],
    }


def _with_default(schema: dict[str, Any], default: Any) -> dict[str, Any]:
    return schema if default is msgspec.UNSET else {**schema, "default": default}


def _identifier(one: Endpoint) -> str:
    words = re.sub(r"[^A-Za-z0-9_]+", "_", one.path.strip("/"))
    return f"{one.method.lower()}_{words.strip('_')}"


def page(endpoints: Iterable[Endpoint]) -> str:
    """Return the API as a page for people, which needs no script."""
    listed = sorted((one for one in endpoints if not one.is_page), key=lambda one: one.path)
    rows = "\n".join(map(_row, listed))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>API: Sound Forge Alchemy</title>\n"
        '<link rel="stylesheet" href="/static/plain.css">\n</head>\n<body>\n<main>\n'
        "<h1>API</h1>\n"
        '<p>The same for programs: <a href="/api/openapi.json">OpenAPI 3.1</a>. Programs send a '
        "token: <code>Authorization: Bearer sfa_…</code></p>\n"
        "<table>\n<thead><tr><th>method</th><th>path</th><th>what it does</th>"
        "<th>parameters</th><th>scope</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</main>\n</body>\n</html>\n"
    )


def _row(one: Endpoint) -> str:
    names: list[str] = []
    if one.verb is not None:
        names = [f"{each.name}{'' if each.required else '?'}" for each in one.verb.params]
    elif one.body is not None:
        names = [
            f"{each.encode_name}{'' if each.required else '?'}"
            for each in msgspec.structs.fields(one.body)
        ]
    scope = one.right.scope if one.right is not None else ""
    cells = (one.method, f"<code>{escape(one.path)}</code>", escape(one.sentence))
    more = (escape(", ".join(names)), scope)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in (*cells, *more))}</tr>"
