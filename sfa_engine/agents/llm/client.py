"""One request to one provider over HTTP, streamed or not. It retries nothing.

httpx is imported with the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec

from sfa_engine.agents.llm.clock import Clock
from sfa_engine.agents.llm.dialect import MAX_BYTES, MAX_QUOTE, Quirks
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.framing import Events, too_large
from sfa_engine.agents.llm.message import BYTES_PER_TOKEN, Event, Piece, Request
from sfa_engine.agents.llm.provider import Provider
from sfa_engine.errors import EngineError
from sfa_engine.system.http import open_client

if TYPE_CHECKING:
    import httpx

CONNECT_S = 5.0
CHECK_S = 5.0  # of a request that lists models or asks for the health
MAX_ERROR_BYTES = 64 << 10
OK = 200


@dataclass(frozen=True)
class Call:
    """A request, ready to be sent.

    Attributes
    ----------
    provider : Provider
    model : str
    path : str
    body : bytes
    stream : bool
    """

    provider: Provider
    model: str
    path: str
    body: bytes
    stream: bool

    @property
    def tokens(self) -> int:
        """About how many tokens it has, rather too many."""
        return len(self.body) // BYTES_PER_TOKEN + 1


def prepare(
    provider: Provider, model: str, request: Request, quirks: Quirks, *, stream: bool
) -> Call:
    """Return a request in the provider's dialect."""
    dialect = provider.dialect
    body = dialect.body(request, model, quirks, stream=stream)
    path = dialect.path(model, quirks, stream=stream)
    return Call(provider, model, path, msgspec.json.encode(body), stream)


@dataclass
class _Limit:
    """Until when the next byte has to come, in seconds of the event loop's clock."""

    at_s: float


class Client:
    """Sends requests; close it at the end.

    Parameters
    ----------
    clock : Clock
    http : httpx.AsyncClient, optional
        Else one is opened with the first request.
    """

    def __init__(self, clock: Clock | None = None, http: httpx.AsyncClient | None = None) -> None:
        self._clock = clock or Clock()
        self._http = http

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def ask(
        self, call: Call, timeout_s: float, first_s: float | None = None
    ) -> AsyncGenerator[Event]:
        """Yield the pieces of an answer, and at last all of it.

        Parameters
        ----------
        call : Call
        timeout_s : float
        first_s : float, optional
            For the first byte of the answer, where another provider could be asked.

        Yields
        ------
        event : Piece or Answer

        Raises
        ------
        LlmError
            There is no answer, or no whole one, within the time; its ``usage`` is what was billed
            as far as it is known.
        """
        dialect, reader = call.provider.dialect, call.provider.dialect.reader()
        now_s = asyncio.get_running_loop().time()
        first_s = timeout_s if first_s is None else min(first_s, timeout_s)
        limit = _Limit(now_s + first_s)
        try:
            async with self._response(call, limit) as response:
                kind = response.headers.get("content-type", "")
                whole = not call.stream or (
                    dialect.framing is Events and kind.startswith("application/json")
                )
                if whole:
                    answer = dialect.read(await self._body(response, limit, MAX_BYTES))
                    if answer.text:
                        yield Piece(answer.text)
                    yield answer
                    return
                async with aclosing(_chunks(response, limit)) as chunks:
                    async for data in chunks:
                        limit.at_s = now_s + timeout_s
                        for text in reader.feed(data):
                            yield Piece(text)
                        if reader.has_ended:
                            break
                for text in reader.end():
                    yield Piece(text)
                yield reader.answer()
        except LlmError as error:
            if not error.usage.is_known and reader.usage.input is not None:
                error.usage = reader.usage
            if error.kind == "budget" and limit.at_s < now_s + timeout_s:
                text = f"it sends nothing for {first_s:.3g} s"
                error = LlmError(text, "unreachable", may_retry=False)
            raise _redacted(call.provider, error) from None

    async def get(self, provider: Provider, path: str, body: bytes | None = None) -> bytes:
        """Return what is at a path that costs nothing.

        Raises
        ------
        LlmError
            It is refused, or not there.
        """
        limit = _Limit(asyncio.get_running_loop().time() + CHECK_S)
        call = Call(provider, "", path, body or b"", stream=False)
        try:
            async with self._response(call, limit, "GET" if body is None else "POST") as found:
                return await self._body(found, limit, MAX_BYTES)
        except LlmError as error:
            if error.kind == "budget":  # the time of the check, not of a question
                error = LlmError("it does not answer in time", "unreachable")
            raise _redacted(provider, error) from None

    @asynccontextmanager
    async def _response(
        self, call: Call, limit: _Limit, method: str = "POST"
    ) -> AsyncIterator[httpx.Response]:
        """Yield a response that is a success."""
        import httpx

        provider = call.provider
        try:
            http = self._client()
            request = http.build_request(
                method,
                provider.address(call.path),
                content=call.body or None,
                headers={**provider.headers, "content-type": "application/json"},
                timeout=httpx.Timeout(None, connect=CONNECT_S),
            )
            async with asyncio.timeout_at(limit.at_s):
                response = await http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, EngineError, OSError) as error:
            raise _broken(error) from None
        try:
            await self._check(provider, response, limit)
            yield response
        except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
            raise _broken(error) from None
        finally:
            await response.aclose()

    async def _check(self, provider: Provider, response: httpx.Response, limit: _Limit) -> None:
        """Refuse a response that is an error, a web page, or packed."""
        if response.status_code != OK:
            body = await self._body(response, limit, MAX_ERROR_BYTES, cut=True)
            headers = {name.lower(): value for name, value in response.headers.items()}
            raise provider.dialect.failure(response.status_code, headers, body, self._clock.wall())
        if response.headers.get("content-encoding", "identity") != "identity":
            raise LlmError("it packs its answer, which was not asked for", "bad_answer")
        if response.headers.get("content-type", "").startswith("text/html"):
            raise LlmError("a web page is at its address", "unreachable", may_retry=False)

    async def _body(
        self, response: httpx.Response, limit: _Limit, most: int, *, cut: bool = False
    ) -> bytes:
        found = bytearray()
        async with aclosing(_chunks(response, limit)) as chunks:
            async for data in chunks:
                found += data
                if len(found) > most:
                    if not cut:
                        raise too_large()
                    break
        return bytes(found[:most])

    def _client(self) -> httpx.AsyncClient:
        import httpx

        if self._http is None:
            self._http = open_client(httpx.AsyncClient, "the provider", EngineError)
        return self._http


async def _chunks(response: httpx.Response, limit: _Limit) -> AsyncGenerator[bytes]:
    """Yield a response as it comes in.

    The time is counted in each wait: a timeout around a ``yield`` would end the caller's work.
    """
    async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
        while True:
            async with asyncio.timeout_at(limit.at_s):
                data = await anext(chunks, None)
            if data is None:
                return
            yield data


def _broken(error: Exception) -> LlmError:
    """Return the error for a connection that failed."""
    import httpx

    if isinstance(error, TimeoutError):
        return LlmError("it does not answer in time", "budget")
    if isinstance(error, httpx.TimeoutException):
        return LlmError("it does not answer in time", "unreachable")
    text = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | EngineError):
        return LlmError(f"it cannot be reached: {text}", "unreachable")
    return LlmError(f"it broke the connection: {text}", "unreachable")


def _redacted(provider: Provider, error: LlmError) -> LlmError:
    """Return an error that does not repeat the key, and is cut only then: not within the key."""
    text = " ".join(provider.redacted(error.message).split())
    error.message = text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…"
    error.args = (error.message,)
    return error
