"""Covers over real sockets: what is a picture, what is not, and a server that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fake_spotify import FakeSpotify, cut_off, hang_up, page_of, slow, status

from sfa_engine.backstage.services import pictures
from sfa_engine.backstage.services.breaker import MAX_FAILURES, Breaker
from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.backstage.services.pictures import MAX_BYTES, fetch_picture
from sfa_engine.library.tags import Cover

JPEG = b"\xff\xd8\xff\xe0" + bytes(50_000)
Fetch = Callable[..., Cover]


@pytest.fixture
def fetch(fake: FakeSpotify) -> Fetch:
    async def run(path: str, breaker: Breaker) -> Cover:
        async with httpx.AsyncClient() as client:
            return await fetch_picture(client, path if "://" in path else fake.url + path, breaker)

    return lambda path, breaker=None: asyncio.run(run(path, breaker or Breaker("Spotify's covers")))


def test_a_picture_is_fetched_without_a_token(fake: FakeSpotify, fetch: Fetch) -> None:
    fake.images["/image/large"] = JPEG
    assert fetch("/image/large") == Cover(JPEG, "jpg")
    (headers,) = fake.image_headers
    assert "authorization" not in {name.casefold() for name in headers}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>Log in to the hotel</html>", "no picture, but b'<html>Log in'"),
        (b"", "no picture"),
        (b"RIFF\0\0\0\0WAVE", "no picture"),
        (b"\xff\xd8\xff" + bytes(MAX_BYTES), "exceeds 4 MB"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused_whatever_its_header_says(
    fake: FakeSpotify, fetch: Fetch, content: bytes, said: str
) -> None:
    fake.images["/image/large"] = content
    with pytest.raises(ServiceError, match=said):
        fetch("/image/large")


@pytest.mark.parametrize(
    "fault", [status(404), status(403), page_of("", 302, Location="/image/large")]
)
def test_a_refusal_or_a_redirect_is_an_error_that_opens_no_breaker(
    fake: FakeSpotify, fetch: Fetch, fault: Any
) -> None:
    fake.images["/image/large"] = JPEG
    breaker = Breaker("Spotify's covers")
    for _ in range(MAX_FAILURES + 1):
        fake.faults.append(fault)
        with pytest.raises(ServiceError, match="status"):
            fetch("/image/large", breaker)
    assert breaker.state == "closed"


@pytest.mark.parametrize("fault", [status(503), cut_off, hang_up])
def test_a_server_that_fails_is_left_alone_after_five(
    fake: FakeSpotify, fetch: Fetch, fault: Any
) -> None:
    breaker = Breaker("Spotify's covers")
    fake.images["/image/large"] = JPEG
    for _ in range(MAX_FAILURES):
        fake.faults.append(fault)
        with pytest.raises(ServiceError):
            fetch("/image/large", breaker)
    asked = len(fake.asked)
    with pytest.raises(ServiceError, match="failed 5 times in a row"):
        fetch("/image/large", breaker)
    assert len(fake.asked) == asked


def test_a_server_that_hangs_is_given_up(
    fake: FakeSpotify, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "TIMEOUT_S", 0.1)
    fake.faults.append(slow)
    with pytest.raises(ServiceError, match="TimeoutError"):
        fetch("/image/large")


@pytest.mark.parametrize(
    "url", ["ftp://example.com/x.jpg", "file:///etc/passwd", "http://[", "x://"]
)
def test_an_address_of_another_kind_is_an_error(fetch: Fetch, url: str) -> None:
    with pytest.raises(ServiceError):
        fetch(url)
