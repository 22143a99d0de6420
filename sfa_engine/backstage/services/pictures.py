"""Pictures over HTTP: covers of tracks. Sends no token, follows no redirect."""

from __future__ import annotations

import asyncio

import httpx

from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.library.tags import Cover, cover_of

MAX_BYTES = 4 << 20  # Spotify's largest, of 640 by 640, have some 100 KB
TIMEOUT_S = 20.0  # for all of it
_AGAIN = "import the track again"


async def fetch_picture(client: httpx.AsyncClient, url: str, breaker: Breaker) -> Cover:
    """Fetch a picture.

    Parameters
    ----------
    client : httpx.AsyncClient
    url : str
        ``http`` or ``https``.
    breaker : Breaker
        Shared by all pictures: a server that is down delays five imports, not a thousand.

    Returns
    -------
    Cover
        A JPEG, PNG, GIF or WebP, by its first bytes.

    Raises
    ------
    ServiceError
        It cannot be fetched, is larger than `MAX_BYTES`, or is no picture.
    """
    breaker.admit()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            content = await _content(client, url)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as problem:
        breaker.failed()
        raise ServiceError(
            f"{breaker.service}: {str(problem) or type(problem).__name__}", _AGAIN
        ) from problem
    except ServiceError:
        breaker.succeeded()  # it answers
        raise
    except BaseException:
        breaker.abandoned()
        raise
    breaker.succeeded()
    cover = cover_of(content)
    if cover is None:
        raise ServiceError(f"{breaker.service}: no picture, but {content[:12]!r}", _AGAIN)
    return cover


async def _content(client: httpx.AsyncClient, url: str) -> bytes:
    """Return what is at an address, if it is not too much."""
    content = bytearray()
    async with client.stream("GET", url, follow_redirects=False) as answer:
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise httpx.HTTPStatusError(
                f"status {answer.status_code}", request=answer.request, response=answer
            )
        if answer.status_code != httpx.codes.OK:
            raise ServiceError(f"no picture at {url:.200}: status {answer.status_code}", _AGAIN)
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > MAX_BYTES:
                raise ServiceError(
                    f"the picture at {url:.200} exceeds {MAX_BYTES >> 20} MB", _AGAIN
                )
    return bytes(content)
