"""One request while it is answered: its parsed body and query, and its peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request, cookie_parser
from starlette.responses import Response

from sfa_engine.web.invalid import invalid
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Actor

MAX_BODY = 1 << 20
RECHECK_S = 3.0  # between looks at the rights of whom a long request or a channel is
BODY_TIMEOUT_S = 10.0
MAX_DIGITS = 18  # of a number in a path: it fits in 64 bits
Typed = TypeVar("Typed", bound=msgspec.Struct)
_ANY = msgspec.json.Decoder()


@dataclass
class Exchange:
    """One request.

    Attributes
    ----------
    request : starlette.requests.Request
    path : mapping of str to str
        The variable parts of its path.
    fields : mapping of bytes to bytes
        Its headers, by their names in lower case; without what is given twice, see `guard.single`.
    address : str
        The peer's address; empty for a Unix socket.
    sender : Actor, optional
        Who sent it, if that is known.
    extended : str
        Secret of a session that this request extends; empty if it extends none.
    recheck : callable
        Raises Problem if the sender may not go on with it: a transfer can take hours.
    """

    request: Request
    path: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[bytes, bytes] = field(default_factory=dict)
    address: str = ""
    sender: Actor | None = None
    extended: str = ""
    recheck: Callable[[], None] = lambda: None

    @property
    def actor(self) -> Actor:
        """Who sent it; endpoints with a right have one."""
        assert self.sender is not None
        return self.sender

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""
        given = self.fields.get(b"cookie")
        return None if given is None else cookie_parser(given.decode("latin-1")).get(name)

    async def document(self) -> Any:
        """Return the JSON body.

        Raises
        ------
        Problem
            It is too long, too slow, of another type, or not JSON.
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem(415, f'the body is "{kind:.60}"', "send application/json")
        try:
            return _ANY.decode(await self._body())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            raise Problem(400, f"the body is not JSON: {error}") from None

    async def parsed(self, kind: type[Typed]) -> Typed:
        """Return the JSON body as a struct.

        Raises
        ------
        Problem
            As `document`, or a field is missing, unknown, or of another type.
        """
        given = await self.document()
        try:
            return msgspec.convert(given, kind)
        except msgspec.ValidationError:
            raise invalid(given, kind) from None

    async def _body(self) -> bytes:
        length = self.request.headers.get("content-length", "0")
        if length.isdecimal() and int(length[:19]) > MAX_BODY:
            raise _too_long()
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for chunk in self.request.stream():
                    body += chunk
                    if len(body) > MAX_BODY:
                        raise _too_long()
        except TimeoutError:
            close = {"Connection": "close"}
            raise Problem(408, "the body did not arrive in time", headers=close) from None
        except ClientDisconnect:
            raise Problem(400, "the body ended too early") from None
        return bytes(body)


def number_in(text: str, what: str) -> int:
    """Return the number of a job or track in a path.

    Raises
    ------
    Problem
        404.
    """
    if not text.isascii() or not text.isdecimal() or len(text) > MAX_DIGITS:
        raise Problem(404, f'no {what} "{text:.40}"', "give its number")
    return int(text)


def _too_long() -> Problem:
    close = {"Connection": "close"}  # the rest is not read
    return Problem(413, f"the body has more than {MAX_BODY} bytes", headers=close)


class JsonAnswer(Response):
    """A value as JSON that is not stored by caches.

    Its headers are made when they are looked at: most answers are sent with those of all.
    """

    FIELDS = ((b"cache-control", b"no-store"), (b"content-type", b"application/json"))
    body: bytes

    def __init__(self, value: Any, status: int = 200) -> None:
        self.status_code = status
        self.background = None
        self.body = msgspec.json.encode(value)

    @cached_property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]
        """Its headers, to which others can be added."""
        return [*self.FIELDS, (b"content-length", str(len(self.body)).encode())]

    @property
    def is_plain(self) -> bool:
        """Whether it has no other headers."""
        return "raw_headers" not in self.__dict__


def answer(value: Any, status: int = 200) -> Response:
    """Return a value as JSON that is not stored by caches."""
    return JsonAnswer(value, status)
