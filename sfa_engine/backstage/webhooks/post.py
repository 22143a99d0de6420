"""One POST to an endpoint: no redirects, no proxies, a bounded answer, a bounded time."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore
import httpx

from sfa_engine import __version__
from sfa_engine.backstage.webhooks.address import Network
from sfa_engine.backstage.webhooks.network import AddressError, Backend, Resolve, resolve
from sfa_engine.system.http import parse_retry_after

TIMEOUT_S = 10.0  # of a try, from the name's lookup to the end of the answer
MAX_BYTES = 1 << 16  # of an answer; nothing of it is kept
MAX_ERROR = 300  # characters
GONE = 410
_FAILURES = (
    *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol),
    *(OSError, UnicodeError, ValueError),
)


@dataclass(frozen=True)
class Answer:
    """What became of a try.

    Attributes
    ----------
    status : int or None
        Of HTTP; None without an answer.
    seconds : float
        That it took.
    error : str
        Empty if it was a success.
    retry_after_s : float or None
        For how long the endpoint does not want to be asked again.
    """

    status: int | None
    seconds: float
    error: str = ""
    retry_after_s: float | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants no more messages."""
        return self.status == GONE


class Poster:
    """Sends messages.

    Parameters
    ----------
    networks : sequence of Network
        Allowed although they are not of the internet.
    resolver : callable
        Returns the addresses of a name.
    timeout_s : float
        Of a try.
    """

    def __init__(
        self,
        networks: Sequence[Network] = (),
        resolver: Resolve = resolve,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._networks = networks
        self._resolve = resolver
        self._timeout_s = timeout_s
        self._context: ssl.SSLContext | None = None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a message once; every failure is an answer."""
        began_s = time.monotonic()
        status, error, retry_after_s = None, "", None
        try:
            async with asyncio.timeout(self._timeout_s):
                status, retry_after_s = await self._exchange(url, headers, body)
        except (TimeoutError, httpcore.TimeoutException):
            error = f"no answer within {self._timeout_s:g} s"
        except AddressError as problem:
            error = str(problem)
        except _FAILURES as problem:
            error = f"{_reason(problem)}"[:MAX_ERROR]
        else:
            error = "" if 200 <= status < 300 else _why(status)
        return Answer(status, time.monotonic() - began_s, error, retry_after_s)

    async def _exchange(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, float | None]:
        """Return the status of an answer, and its Retry-After in seconds."""
        if url.startswith("https:") and self._context is None:  # 30 ms
            self._context = await asyncio.to_thread(httpx.create_ssl_context)
        sent = {
            "host": urlsplit(url).netloc,
            "user-agent": f"sfa-engine/{__version__}",
            "content-type": "application/json",
            **headers,
        }
        # Each try has a connection of its own: one that is kept would outlive a change of the name.
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._context,
                max_keepalive_connections=0,
                network_backend=Backend(self._networks, self._resolve),
            ) as pool,
            pool.stream("POST", url, headers=list(sent.items()), content=body) as response,
        ):
            left = MAX_BYTES
            async for chunk in response.aiter_stream():
                left -= len(chunk)
                if left < 0:
                    break
            found = {name.lower(): value for name, value in response.headers}
            retry_after = found.get(b"retry-after", b"").decode("latin-1")
            return response.status, parse_retry_after(retry_after)


def _why(status: int) -> str:
    if 300 <= status < 400:
        return f"it redirects ({status}), which is not followed"
    return "it wants no more messages (410)" if status == GONE else f"it answered {status}"


def _reason(problem: BaseException) -> str:
    """Return the words of the error that is at the bottom of another."""
    while isinstance(below := problem.__cause__ or problem.__context__, OSError):
        problem = below
    if isinstance(problem, ssl.SSLError):  # its errno is not the system's
        return str(problem).partition("] ")[2].partition(" (_ssl")[0] or str(problem)
    number = getattr(problem, "errno", None)
    if number is not None and number > 0:
        return os.strerror(number)
    return str(getattr(problem, "strerror", None) or problem) or type(problem).__name__
