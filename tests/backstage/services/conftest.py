"""A Spotify of one's own for each test, and clients that do not really wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET, FakeSpotify

from sfa_engine.backstage.services.json_api import JsonApi
from sfa_engine.backstage.services.spotify import Spotify
from sfa_engine.backstage.services.token import ClientToken
from sfa_engine.library.secret import Secrets


class Clock:
    """Seconds that pass only when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


class Road:
    """All that stands between a test and its Spotify."""

    def __init__(self, fake: FakeSpotify, client: httpx.AsyncClient, clock: Clock) -> None:
        self.fake, self.client, self.clock = fake, client, clock
        self.accounts = self.api(fake.url)
        self.token = ClientToken(self.accounts, CLIENT_ID, CLIENT_SECRET, clock)

    def api(self, url: str, **more: Any) -> JsonApi:
        return JsonApi("Spotify", url, self.client, sleep=self.clock.sleep, rng=lambda: 0.5, **more)

    def spotify(self, bearer: Any = None, **more: Any) -> Spotify:
        return Spotify(
            self.client,
            bearer or self.token,
            base_url=self.fake.api_url,
            sleep=self.clock.sleep,
            rng=lambda: 0.5,
            **more,
        )


@pytest.fixture
def fake() -> Iterator[FakeSpotify]:
    with FakeSpotify() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path)


@pytest.fixture
def on_the_road(fake: FakeSpotify, clock: Clock) -> Callable[[Callable[[Road], Any]], Any]:
    """Run a coroutine function with a road, in an event loop of its own, and return its result."""

    async def run(journey: Callable[[Road], Any]) -> Any:
        async with httpx.AsyncClient() as client:
            return await journey(Road(fake, client, clock))

    return lambda journey: asyncio.run(run(journey))
