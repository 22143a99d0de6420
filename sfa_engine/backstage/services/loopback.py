"""The small web server that a login comes back to. Listens on 127.0.0.1 only, for one answer.

A request that is not the awaited one is answered and forgotten: a browser asks for icons, and
anybody on this machine may knock. Only the right ``state`` ends the wait.
"""

from __future__ import annotations

import asyncio
import hmac
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from sfa_engine.errors import Refused

HOST = "127.0.0.1"  # Spotify refuses the name localhost
PATH = "/callback"
LOGIN_S = 300.0  # a person finds the password in that time
MOST_HEAD_BYTES = 8192
REQUEST_S = 10.0  # a connection that says nothing is closed

_PAGE = """HTTP/1.1 {status}\r
Content-Type: text/html; charset=utf-8\r
Cache-Control: no-store\r
Referrer-Policy: no-referrer\r
Connection: close\r
\r
<!doctype html><title>Sound Forge Alchemy</title><p>{text}</p>
"""


class Loopback:
    """Waits for a code; see `loopback`.

    Parameters
    ----------
    state : str
        That the code must come with.
    """

    def __init__(self, state: str) -> None:
        self.port = 0
        self._state = state
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def redirect_uri(self) -> str:
        """Where the browser is to be sent."""
        return f"http://{HOST}:{self.port}{PATH}"

    async def code(self, limit_s: float = LOGIN_S) -> str:
        """Return the code, when it has come.

        Raises
        ------
        Refused
            If the person said no, or did not answer in time.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._code), limit_s)
        except TimeoutError:
            raise Refused(f"nobody logged in within {limit_s:.0f} s", "try again") from None

    def give_up(self) -> None:
        """Wait no more; what came and was not asked for is dropped."""
        if self._code.done() and not self._code.cancelled():
            self._code.exception()  # asyncio would report one that nobody looked at
        self._code.cancel()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, text = self._judged(head.split(b"\r\n", 1)[0].decode("latin-1"))
                page = _PAGE.format(status=status, text=html.escape(text))
                writer.write(page.encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, TimeoutError):
            pass  # a visitor who does not speak HTTP has no answer coming
        finally:
            writer.close()

    def _judged(self, line: str) -> tuple[str, str]:
        """Return status and text for a request line; take the code if it is the right one."""
        method, _, rest = line.partition(" ")
        try:
            address = urlsplit(rest.partition(" ")[0])
            query = parse_qs(address.query, max_num_fields=16)
        except ValueError:
            return "400 Bad Request", "This is no address."
        if method != "GET" or address.path != PATH:
            return "404 Not Found", "There is nothing here."
        given = query.get("state", [""])[-1]
        if not hmac.compare_digest(given.encode(), self._state.encode()):
            return "400 Bad Request", "This answer is not for the login that is under way."
        code, problem = query.get("code", [""])[-1], query.get("error", [""])[-1]
        if self._code.done():
            return "200 OK", "This login is done already."
        if code:
            self._code.set_result(code)
            return "200 OK", "Logged in. You can close this window."
        said = "you said no" if problem == "access_denied" else f"Spotify says: {problem:.80}"
        self._code.set_exception(Refused(f"no login: {said}", "try again"))
        return "200 OK", "Not logged in. You can close this window."


@asynccontextmanager
async def loopback(state: str, port: int = 0) -> AsyncIterator[Loopback]:
    """Listen for a login's answer as long as the block lasts.

    Parameters
    ----------
    state : str
        That the code must come with.
    port : int
        0: any that is free, which Spotify allows on a loopback address.

    Raises
    ------
    Refused
        If the port is taken.
    """
    waiting = Loopback(state)
    try:
        server = await asyncio.start_server(
            waiting.answer, HOST, port, limit=MOST_HEAD_BYTES, backlog=8
        )
    except OSError as problem:
        raise Refused(
            f"cannot listen on {HOST}:{port}: {problem.strerror}", "take another port, or 0"
        ) from None
    waiting.port = server.sockets[0].getsockname()[1]
    try:
        yield waiting
    finally:
        server.close()  # not waited for: a browser holds connections that it may never use
        waiting.give_up()
