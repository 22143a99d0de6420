"""The web server that a login redirects to. Listens on 127.0.0.1 only, for one code.

Other requests are answered and ignored: a browser asks for icons, and any program on this machine
may connect. Only the right ``state`` ends the wait.
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
LOGIN_TIMEOUT_S = 300.0  # time to find the password
MAX_HEAD_BYTES = 8192
REQUEST_TIMEOUT_S = 10.0

_PAGE = """HTTP/1.1 {status}\r
Content-Type: text/html; charset=utf-8\r
Cache-Control: no-store\r
Referrer-Policy: no-referrer\r
Connection: close\r
\r
<!doctype html><title>Sound Forge Alchemy</title><p>{text}</p>
"""


class Loopback:
    """Waits for an authorization code; see `loopback`.

    Parameters
    ----------
    state : str
        Required with the code.
    """

    def __init__(self, state: str) -> None:
        self.port = 0
        self._state = state
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def redirect_uri(self) -> str:
        """The address that Spotify redirects the browser to."""
        return f"http://{HOST}:{self.port}{PATH}"

    async def code(self, limit_s: float = LOGIN_TIMEOUT_S) -> str:
        """Wait for the code.

        Raises
        ------
        Refused
            The user declined, or did not answer in time.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._code), limit_s)
        except TimeoutError:
            raise Refused(f"no login within {limit_s:.0f} s", "try again") from None

    def give_up(self) -> None:
        """Stop waiting, and drop a result that was not fetched."""
        if self._code.done() and not self._code.cancelled():
            self._code.exception()  # asyncio would report one that was never retrieved
        self._code.cancel()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, text = self._handle(head.split(b"\r\n", 1)[0].decode("latin-1"))
                page = _PAGE.format(status=status, text=html.escape(text))
                writer.write(page.encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, TimeoutError):
            pass  # not HTTP: no answer
        finally:
            writer.close()

    def _handle(self, line: str) -> tuple[str, str]:
        """Return status and text for a request line; store the code if it is valid."""
        method, _, rest = line.partition(" ")
        try:
            address = urlsplit(rest.partition(" ")[0])
            query = parse_qs(address.query, max_num_fields=16)
        except ValueError:
            return "400 Bad Request", "Invalid address."
        if method != "GET" or address.path != PATH:
            return "404 Not Found", "Not found."
        given = query.get("state", [""])[-1]
        if not hmac.compare_digest(given.encode(), self._state.encode()):
            return "400 Bad Request", "This answer is not for the present login."
        code, problem = query.get("code", [""])[-1], query.get("error", [""])[-1]
        if self._code.done():
            return "200 OK", "This login is done already."
        if code:
            self._code.set_result(code)
            return "200 OK", "Logged in. You can close this window."
        reason = "you declined" if problem == "access_denied" else f"Spotify says: {problem:.80}"
        self._code.set_exception(Refused(f"no login: {reason}", "try again"))
        return "200 OK", "Not logged in. You can close this window."


@asynccontextmanager
async def loopback(state: str, port: int = 0) -> AsyncIterator[Loopback]:
    """Listen for a login's answer during the block.

    Parameters
    ----------
    state : str
        Required with the code.
    port : int
        0: any free one, which Spotify allows on a loopback address.

    Raises
    ------
    Refused
        The port is in use.
    """
    waiting = Loopback(state)
    try:
        server = await asyncio.start_server(
            waiting.answer, HOST, port, limit=MAX_HEAD_BYTES, backlog=8
        )
    except OSError as problem:
        raise Refused(
            f"cannot listen on {HOST}:{port}: {problem.strerror}", "use another port, or 0"
        ) from None
    waiting.port = server.sockets[0].getsockname()[1]
    try:
        yield waiting
    finally:
        server.close()  # without waiting: a browser holds connections that it may never use
        waiting.give_up()
