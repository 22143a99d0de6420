"""JSON over HTTP from one service, as carefully as the road deserves. Knows no service's shapes.

::

    get ─► breaker ─► bearer ─► request ─► 200  object
             ▲                      │
             └── wait, try again ◄──┼─ 429         after Retry-After
                                    ├─ 5xx, cut off, late, not JSON     after back-off with jitter
                    new bearer  ◄───┼─ 401         once
                         error  ◄───┴─ 3xx, other 4xx
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.fault import Denied, ServiceError

TIMEOUT_S = httpx.Timeout(15.0, connect=8.0)  # for each read, and to connect
CALL_S = 30.0  # one request, its whole body in
TRIES = 4
BACKOFF_S = 0.5  # doubled at each try, of which a random part is waited
LONGEST_WAIT_S = 60.0  # that is sat out here; the job queue waits longer
MOST_BYTES = 8 << 20  # of one answer
WORDS = 200  # of a service's own, in an error

Sleep = Callable[[float], Awaitable[None]]


class Bearer(Protocol):
    """Where access tokens come from; shared between tasks."""

    async def bearer(self) -> str:
        """Return a token that should be valid now."""

    async def renewed(self, refused: str) -> str:
        """Return another token than one that was refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered, whatever it thinks of the request.

    Parameters
    ----------
    status : int
        Of HTTP.
    headers : httpx.Headers
        Of the answer.
    body : Any
        The JSON value, or None if it is none.
    text : str
        The beginning of what was sent, for an error.
    """

    status: int
    headers: httpx.Headers
    body: Any
    text: str

    def object(self, service: str) -> dict[str, Any]:
        """Return the JSON object.

        Raises
        ------
        ServiceError
            If it is something else.
        """
        if not isinstance(self.body, dict):
            raise ServiceError(
                f"{service} answered something that is no JSON object: {self.text!r:.80}",
                "a network's login page answers so: open a browser and look",
            )
        return self.body

    @property
    def complaint(self) -> str:
        """Its own words on what is wrong, of the API or of OAuth (RFC 6749, 5.2)."""
        if not isinstance(self.body, dict):
            return self.text[:WORDS]
        error = self.body.get("error")
        if isinstance(error, dict):
            return str(error.get("message", ""))[:WORDS]
        return str(self.body.get("error_description") or error or "")[:WORDS]


class Api:
    """One service that answers JSON.

    Parameters
    ----------
    service : str
        Its name, for errors.
    base_url : str
        What every address begins with: nothing else is sent a token.
    client : httpx.AsyncClient
        Shared; redirects are not followed.
    bearer : Bearer, optional
        Where tokens come from.
    breaker : Breaker, optional
        Shared by all that ask this service.
    sleep : callable
        Waits for seconds.
    chance : callable
        Returns 0..1 for the jitter.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        client: httpx.AsyncClient,
        bearer: Bearer | None = None,
        breaker: Breaker | None = None,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.service = service
        self.base_url = base_url.rstrip("/")
        self.breaker = breaker or Breaker(service)
        self._client = client
        self._bearer = bearer
        self._sleep = sleep
        self._chance = chance

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """Return the JSON object at a path, or at an absolute address below the base.

        Raises
        ------
        ServiceError
            If the service cannot be reached, fails, or answers nonsense, after all tries.
        Denied
            If it refuses the request.
        """
        url = self._address(path)
        bearer = await self._bearer.bearer() if self._bearer else ""
        answer = await self.ask("GET", url, params=params, headers=_authorised(bearer))
        if answer.status == httpx.codes.UNAUTHORIZED and self._bearer:
            bearer = await self._bearer.renewed(bearer)
            answer = await self.ask("GET", url, params=params, headers=_authorised(bearer))
        if answer.status == httpx.codes.OK:
            return answer.object(self.service)
        raise refusal(self.service, answer)

    async def ask(self, method: str, url: str, **request: Any) -> Answer:
        """Return what the service answers, once it answers below 500 and not 429.

        Parameters
        ----------
        method, url : str
            Of the request.
        **request : Any
            What `httpx.AsyncClient.stream` takes.

        Raises
        ------
        ServiceError
            If it does not, after all tries; or a wait would be longer than `LONGEST_WAIT_S`.
        """
        for tried in range(1, TRIES + 1):
            try:
                answer = await self._once(method, url, request)
            except ServiceError as problem:
                if tried == TRIES or self.breaker.state == "open":
                    raise
                wait_s = problem.retry_after_s
            else:
                if answer.status != httpx.codes.TOO_MANY_REQUESTS:
                    return answer
                wait_s = self._asked_to_wait(answer, last=tried == TRIES)
            if wait_s is None:
                wait_s = self._chance() * BACKOFF_S * 2**tried
            await self._sleep(wait_s)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _once(self, method: str, url: str, request: Mapping[str, Any]) -> Answer:
        """Ask once, and tell the breaker how it went."""
        self.breaker.admit()
        try:
            async with asyncio.timeout(CALL_S):
                answer = await self._exchange(method, url, request)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as problem:
            self.breaker.failed()
            raise self._unreachable(problem) from problem
        except BaseException:
            self.breaker.abandoned()
            raise
        if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            self.breaker.failed()
            raise ServiceError(
                f"{self.service} has a fault of its own: {answer.status}", "try again later"
            )
        if answer.status == httpx.codes.OK and answer.body is None:
            self.breaker.failed()
            answer.object(self.service)
        self.breaker.succeeded()
        return answer

    async def _exchange(self, method: str, url: str, request: Mapping[str, Any]) -> Answer:
        """Send a request and read its whole answer, but no more than `MOST_BYTES`."""
        body = bytearray()
        async with self._client.stream(method, url, timeout=TIMEOUT_S, **request) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise httpx.DecodingError(f"more than {MOST_BYTES} bytes")
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        text = bytes(body[:WORDS]).decode("utf-8", "replace")
        return Answer(response.status_code, response.headers, value, text)

    def _unreachable(self, problem: Exception) -> ServiceError:
        """Return what to tell of a fault on the way."""
        said = str(problem) or type(problem).__name__
        if isinstance(problem, httpx.ConnectError):
            return ServiceError(
                f"{self.service} cannot be reached: {said[:WORDS]}", "is the network on?"
            )
        if isinstance(problem, TimeoutError | httpx.TimeoutException):
            return ServiceError(f"{self.service} does not answer in time", "try again later")
        return ServiceError(
            f"{self.service} broke off its answer: {said[:WORDS]}", "try again later"
        )

    def _asked_to_wait(self, answer: Answer, *, last: bool) -> float | None:
        """Return for how long a 429 asks, if it says so.

        Raises
        ------
        ServiceError
            If that is too long, or there is no try left.
        """
        wait_s = seconds_of(answer.headers.get("Retry-After", ""))
        if last or (wait_s or 0.0) > LONGEST_WAIT_S:
            raise ServiceError(
                f"{self.service} wants fewer requests",
                f"try again in {wait_s:.0f} s" if wait_s else "try again in some minutes",
                retry_after_s=wait_s or LONGEST_WAIT_S,
            )
        return wait_s

    def _address(self, path: str) -> str:
        """Return a path's address; one elsewhere would be sent our token."""
        if path.startswith("/"):
            return self.base_url + path
        if path.startswith(self.base_url + "/"):
            return path
        raise ServiceError(
            f'{self.service} names an address that is not its own: "{path[:WORDS]}"',
            f"all begin with {self.base_url}",
        )


def refusal(service: str, answer: Answer) -> ServiceError | Denied:
    """Return the error for an answer that is neither a success nor worth another try."""
    said = f": {answer.complaint}" if answer.complaint else ""
    if 300 <= answer.status < 400:
        place = answer.headers.get("Location", "nowhere")[:WORDS]
        return ServiceError(
            f"{service} sends us elsewhere ({answer.status}): {place}",
            "a network's login page does so: open a browser and look",
        )
    hint = {
        400: "check the link",
        401: "check the credentials",
        403: "these credentials may not see it",
        404: "check the link; it may be private, or gone",
    }.get(answer.status, "")
    return Denied(f"{service} refuses ({answer.status}){said}", hint, answer.status)


def seconds_of(retry_after: str) -> float | None:
    """Return the seconds of a Retry-After header (a number, or a date), if it has any."""
    if retry_after.strip().isdecimal():
        return float(retry_after[:12])
    try:
        until_s = email.utils.parsedate_to_datetime(retry_after).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, until_s - time.time())


def _authorised(bearer: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {bearer}"} if bearer else {}
