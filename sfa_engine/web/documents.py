"""``/api``: the operations for people and for programs, made again when the verbs change."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.responses import Response

from sfa_engine.web import openapi
from sfa_engine.web.endpoint import Endpoint, Table
from sfa_engine.web.exchange import Exchange

_NO_CACHE = {"Cache-Control": "no-cache"}


class Documents:
    """The documents of the table, made when they are first asked for.

    Parameters
    ----------
    table : callable
        Returns the current table.
    """

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self._made: tuple[Table, bytes, str] | None = None

    def endpoints(self) -> list[Endpoint]:
        """Return their endpoints."""
        page, document = "Show the API.", "Return the API as OpenAPI 3.1."
        return [
            Endpoint("GET", "/api", page, self._page, is_json=False),
            Endpoint("GET", "/api/openapi.json", document, self._document),
        ]

    async def _page(self, _exchange: Exchange) -> Response:
        return Response(self._current()[2], headers=_NO_CACHE, media_type="text/html")

    async def _document(self, _exchange: Exchange) -> Response:
        return Response(self._current()[1], headers=_NO_CACHE, media_type="application/json")

    def _current(self) -> tuple[Table, bytes, str]:
        table = self._table()
        if self._made is None or self._made[0] is not table:
            document = msgspec.json.encode(openapi.document(table.endpoints))
            self._made = table, document, openapi.page(table.endpoints)
        return self._made
