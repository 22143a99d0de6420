"""From a request to an answer: the guard, the table of endpoints, errors as problems."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sfa_engine.errors import EngineError, FaultError, SfaError
from sfa_engine.web import guard
from sfa_engine.web.audit_rows import ACTING
from sfa_engine.web.endpoint import Endpoint, Table
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.problem import Problem

logger = logging.getLogger(__name__)
HEADER_PAIRS = [(name.encode(), value.encode()) for name, value in guard.HEADERS.items()]
_NAMES = frozenset(name for name, _ in HEADER_PAIRS)


class App:
    """The ASGI application.

    Parameters
    ----------
    table : callable
        Returns the table of endpoints: those of verbs come and go with the engine.
    names : collection of str
        Host names that it is reached by.
    admit : callable, optional
        Called with each exchange and its endpoint before the endpoint is; raises a `Problem`, or
        identifies the sender.
    count : callable, optional
        Called with the method and the status of each answer, and the seconds that it took.
    is_whole : callable, optional
        Returns whether the table has all endpoints; before, an unknown one may come yet.
    finish : callable, optional
        Called with each exchange that was answered without an error, and the response.
    channel : ASGI application, optional
        Serves WebSockets.
    """

    def __init__(
        self,
        table: Callable[[], Table],
        names: Collection[str] = (),
        admit: Callable[[Exchange, Endpoint], None] = lambda _exchange, _endpoint: None,
        count: Callable[[str, int, float], None] = lambda _method, _status, _seconds: None,
        is_whole: Callable[[], bool] = lambda: True,
        finish: Callable[[Exchange, Response], None] = lambda _exchange, _response: None,
        channel: ASGIApp | None = None,
    ) -> None:
        self._table = table
        self._names = normal_names(names)
        self._admit = admit
        self._count = count
        self._is_whole = is_whole
        self._finish = finish
        self._channel = channel
        self._last_host: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of any kind."""
        if scope["type"] == "websocket" and self._channel is not None:
            await self._channel(scope, receive, send)
        if scope["type"] != "http":
            return
        began_s = time.monotonic()
        request = Request(scope, receive)
        response = await self._respond(request)
        self._count(request.method, response.status_code, time.monotonic() - began_s)
        at_once = getattr(send, "send_whole", None)
        if at_once is None or not at_once(response):
            await send_response(response, scope, receive, send)

    def start(self, scope: Scope, receive: Receive, finish: Callable[[Response], None]) -> bool:
        """Begin to answer a request without a task, if its endpoint needs none.

        Parameters
        ----------
        scope : ASGI scope
            Of a request over HTTP.
        receive : callable
        finish : callable
            Called with the response, perhaps before this returns.

        Returns
        -------
        bool
            Whether it has begun; if not, the application has to be called.
        """
        endpoint = self._table().started.get(scope["path"])
        if endpoint is None or endpoint.start is None or scope["method"] != "GET":
            return False
        began_s = time.monotonic()
        request = Request(scope, receive)

        def done(error: Exception | None, result: Any) -> None:
            try:
                if error is None:
                    response = answer(msgspec.msgpack.decode(result))
                    self._finish(exchange, response)
                else:
                    response = _failed(request, error)
            except Exception as failure:  # noqa: BLE001 - it is answered
                response = _failed(request, failure)
            self._count("GET", response.status_code, time.monotonic() - began_s)
            finish(response)

        try:
            exchange = self._exchange(request)
            self._admit(exchange, endpoint)
            endpoint.start(exchange, done)
        except Exception as error:  # noqa: BLE001 - it is answered
            done(error, None)
        return True

    async def _respond(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Exception as error:  # noqa: BLE001 - it is answered
            return _failed(request, error)

    async def _answer(self, request: Request) -> Response:
        scope = request.scope
        exchange = self._exchange(request)
        endpoint, exchange.path = self._find(scope["method"], scope["path"])
        self._admit(exchange, endpoint)
        ACTING.set((exchange.sender, exchange.address))
        response = await endpoint.handler(exchange)
        self._finish(exchange, response)
        return response

    def _exchange(self, request: Request) -> Exchange:
        """Return a request whose headers are valid."""
        scope = request.scope
        fields = dict(scope["headers"])
        has_twice = len(fields) != len(scope["headers"])
        host = fields.get(b"host")
        if has_twice or host is None or host != self._last_host:  # else it was right before
            check_host(request.headers, self._names)
            self._last_host = host
        if has_twice:
            check_single(request.headers)
            fields[b"cookie"] = "; ".join(request.headers.getlist("cookie")).encode("latin-1")
        client = scope["client"]
        return Exchange(request, {}, fields, client[0] if client else "")

    def _find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        try:
            return self._table().find(method, path)
        except Problem as problem:
            if problem.status == 404 and path.startswith("/api/") and not self._is_whole():
                raise Problem.of(
                    EngineError("the engine or backstage has not started yet", "see /health")
                ) from None
            raise


def normal_names(names: Collection[str]) -> frozenset[str]:
    """Return configured host names as they are compared."""
    return frozenset(name.lower().removesuffix(".") for name in names)


def check_host(headers: Headers, names: Collection[str]) -> None:
    """Refuse a request whose Host header does not name this machine, or that has several.

    Raises
    ------
    Problem
        421.
    """
    host = ",".join(headers.getlist("host"))
    if not guard.is_ours(host, names):
        hint = "add it to `names` in [web] of the configuration"
        raise Problem(421, f'"{host:.100}" is not a name of this machine', hint)


def check_single(headers: Headers) -> None:
    """Refuse a request with two headers of a kind of which there is one.

    Raises
    ------
    Problem
        400.
    """
    for name in guard.SINGLE:
        if len(headers.getlist(name)) > 1:
            raise Problem(400, f"the request has several headers {name}", "send one")


def _failed(request: Request, error: Exception) -> Response:
    """Return the answer to a request that raised an error; one that is a fault is logged."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, SfaError):
        return Problem.of(error).response()
    logger.error("%s %.200s", request.method, request.url.path, exc_info=error)
    return Problem.of(FaultError.of(error)).response()


async def send_response(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer with the security headers."""
    await response(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    """Return a sender that adds the security headers to each answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given: list[Any] = message.setdefault("headers", [])
            names = {name.lower() for name, _ in given}
            if names.isdisjoint(_NAMES):
                given += HEADER_PAIRS
            else:
                given.extend(pair for pair in HEADER_PAIRS if pair[0] not in names)
        await send(message)

    return sending
