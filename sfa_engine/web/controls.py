"""``/api/controls``: every control as the engine describes it, for pages that draw them."""

from __future__ import annotations

import gzip
import hashlib

import msgspec
from starlette.responses import Response

from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.link import Link
from sfa_engine.web.page import PageFile
from sfa_engine.web.rights import Right

PATH = "/api/controls"
LEVEL = 6  # 1.4 MB of JSON to 60 kB in some 20 ms; the highest level saves little


class _Described(msgspec.Struct):
    controls: list[dict[str, object]]


_DECODER = msgspec.msgpack.Decoder(_Described)


class Controls:
    """The engine's controls, asked for once for each time that it starts.

    Parameters
    ----------
    engine : Link
    """

    def __init__(self, engine: Link) -> None:
        self._engine = engine
        self._made: tuple[int, PageFile] | None = None

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoint."""
        sentence = "Return every control: its kind, unit, range, taper and sentence."
        return [Endpoint("GET", PATH, sentence, self._show, right=Right("read"))]

    async def _show(self, exchange: Exchange) -> Response:
        await self._engine.call("health", {})  # connects again to an engine that has restarted
        opened = self._engine.opened
        if self._made is None or self._made[0] != opened:
            found = await self._engine.call("describe", {}, decode=_DECODER.decode)
            self._made = opened, _file_of(found)
        return self._made[1].answer(exchange.request.headers)


def _file_of(described: _Described) -> PageFile:
    plain = msgspec.json.encode(described)
    tag = hashlib.sha256(plain).hexdigest()[:32]
    return PageFile("controls.json", tag, plain, gzip.compress(plain, LEVEL, mtime=0))
