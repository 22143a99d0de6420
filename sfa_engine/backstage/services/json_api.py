"""JSON over HTTP from one service, with retries and a circuit breaker. Knows no service's schema.

::

    get ─► breaker ─► bearer ─► request ─► 200  object
             ▲                      │
             └── wait, retry ◄──────┼─ 429         after Retry-After
                                    ├─ 5xx, cut off, timeout, not JSON  after back-off with jitter
                    new bearer  ◄───┼─ 401         once
                         error  ◄───┴─ 3xx, other 4xx
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.errors import Denied, ServiceError
from sfa_engine.system.http import parse_retry_after

TIMEOUT_S = httpx.Timeout(15.0, connect=8.0)  # for each read, and to connect
CALL_TIMEOUT_S = 30.0  # of one request with its whole response
MAX_ATTEMPTS = 4
BACKOFF_S = 0.5  # doubled at each retry, times a random factor
MAX_WAIT_S = 60.0  # longer waits are left to the job queue
MAX_BYTES = 8 << 20  # of a response
MAX_QUOTE = 200  # characters of a response, in an error

Sleep = Callable[[float], Awaitable[None]]


class Bearer(Protocol):
    """A source of access tokens, shared between tasks."""

    async def bearer(self) -> str:
        """Return a token that should be valid."""

    async def renewed(self, rejected: str) -> str:
        """Return another token than one that was rejected."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response of a service.

    Parameters
    ----------
    status : int
        Of HTTP.
    headers : httpx.Headers
        Of the response.
    body : Any
        The JSON value, or None if it is not JSON.
    text : str
        Its beginning, for errors.
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
            It is something else.
        """
        if not isinstance(self.body, dict):
            raise ServiceError(
                f"{service} did not answer with a JSON object: {self.text!r:.80}",
                "it may be a network's login page: open a browser and check",
            )
        return self.body

    @property
    def error_text(self) -> str:
        """The error message in it, of the API or of OAuth (RFC 6749, section 5.2)."""
        if not isinstance(self.body, dict):
            return self.text[:MAX_QUOTE]
        error = self.body.get("error")
        if isinstance(error, dict):
            return str(error.get("message", ""))[:MAX_QUOTE]
        return str(self.body.get("error_description") or error or "")[:MAX_QUOTE]


class JsonApi:
    """A client of one JSON service.

    Parameters
    ----------
    service : str
        Its name, for errors.
    base_url : str
        Prefix of every address: no other is sent a token.
    client : httpx.AsyncClient
        Shared; does not follow redirects.
    bearer : Bearer, optional
        Source of tokens.
    breaker : Breaker, optional
        Shared by all clients of this service.
    sleep : callable
        Waits for seconds.
    rng : callable
        Returns 0..1, for the jitter.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        client: httpx.AsyncClient,
        bearer: Bearer | None = None,
        breaker: Breaker | None = None,
        sleep: Sleep = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.service = service
        self.base_url = base_url.rstrip("/")
        self.breaker = breaker or Breaker(service)
        self._client = client
        self._bearer = bearer
        self._sleep = sleep
        self._chance = rng

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """Return the JSON object at a path, or at an absolute address below the base.

        Raises
        ------
        ServiceError
            After all attempts the service cannot be reached, fails, or sends invalid data.
        Denied
            It refuses the request.
        """
        url = self._address(path)
        bearer = await self._bearer.bearer() if self._bearer else ""
        answer = await self.request("GET", url, params=params, headers=_authorised(bearer))
        if answer.status == httpx.codes.UNAUTHORIZED and self._bearer:
            bearer = await self._bearer.renewed(bearer)
            answer = await self.request("GET", url, params=params, headers=_authorised(bearer))
        if answer.status == httpx.codes.OK:
            return answer.object(self.service)
        raise refusal(self.service, answer)

    async def request(self, method: str, url: str, **request: Any) -> Response:
        """Return the first response below 500 that is not 429.

        Parameters
        ----------
        method, url : str
            Of the request.
        **request : Any
            Arguments of `httpx.AsyncClient.stream`.

        Raises
        ------
        ServiceError
            There is none after all attempts, or the wait is longer than `MAX_WAIT_S`.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                answer = await self._once(method, url, request)
            except ServiceError as problem:
                if attempt == MAX_ATTEMPTS or self.breaker.state == "open":
                    raise
                wait_s = problem.retry_after_s
            else:
                if answer.status != httpx.codes.TOO_MANY_REQUESTS:
                    return answer
                wait_s = self._retry_after(answer, last=attempt == MAX_ATTEMPTS)
            if wait_s is None:
                wait_s = self._chance() * BACKOFF_S * 2**attempt
            await self._sleep(wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(self, method: str, url: str, request: Mapping[str, Any]) -> Response:
        """Send a request once, and report the outcome to the breaker."""
        self.breaker.admit()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
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
                f"{self.service} has an internal error: {answer.status}", "try again later"
            )
        if answer.status == httpx.codes.OK and answer.body is None:
            self.breaker.failed()
            answer.object(self.service)
        self.breaker.succeeded()
        return answer

    async def _exchange(self, method: str, url: str, request: Mapping[str, Any]) -> Response:
        """Send a request and read its response, up to `MAX_BYTES`."""
        body = bytearray()
        async with self._client.stream(method, url, timeout=TIMEOUT_S, **request) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise httpx.DecodingError(f"more than {MAX_BYTES} bytes")
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        text = bytes(body[:MAX_QUOTE]).decode("utf-8", "replace")
        return Response(response.status_code, response.headers, value, text)

    def _unreachable(self, problem: Exception) -> ServiceError:
        """Return the error for a failure of the connection."""
        text = str(problem) or type(problem).__name__
        if isinstance(problem, httpx.ConnectError):
            return ServiceError(
                f"{self.service} cannot be reached: {text[:MAX_QUOTE]}", "is the network on?"
            )
        if isinstance(problem, TimeoutError | httpx.TimeoutException):
            return ServiceError(f"{self.service} does not answer in time", "try again later")
        return ServiceError(
            f"{self.service} broke the connection: {text[:MAX_QUOTE]}", "try again later"
        )

    def _retry_after(self, answer: Response, *, last: bool) -> float | None:
        """Return the wait that a 429 asks for, if any.

        Raises
        ------
        ServiceError
            It is too long, or this was the last attempt.
        """
        wait_s = parse_retry_after(answer.headers.get("Retry-After", ""))
        if last or (wait_s or 0.0) > MAX_WAIT_S:
            raise ServiceError(
                f"{self.service} limits the rate of requests",
                f"try again in {wait_s:.0f} s" if wait_s else "try again in some minutes",
                retry_after_s=wait_s or MAX_WAIT_S,
            )
        return wait_s

    def _address(self, path: str) -> str:
        """Return the address of a path; one of another host must not get our token."""
        if path.startswith("/"):
            return self.base_url + path
        if path.startswith(self.base_url + "/"):
            return path
        raise ServiceError(
            f'{self.service} links to an address of another host: "{path[:MAX_QUOTE]}"',
            f"expected {self.base_url}/…",
        )


def refusal(service: str, answer: Response) -> ServiceError | Denied:
    """Return the error for a response that is neither a success nor worth a retry."""
    reason = f": {answer.error_text}" if answer.error_text else ""
    if 300 <= answer.status < 400:
        location = answer.headers.get("Location", "nowhere")[:MAX_QUOTE]
        return ServiceError(
            f"{service} redirects ({answer.status}) to {location}",
            "it may be a network's login page: open a browser and check",
        )
    hint = {
        400: "check the link",
        401: "check the credentials",
        403: "these credentials may not see it",
        404: "check the link; it may be private, or gone",
    }.get(answer.status, "")
    return Denied(f"{service} refuses ({answer.status}){reason}", hint, answer.status)


def _authorised(bearer: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {bearer}"} if bearer else {}
