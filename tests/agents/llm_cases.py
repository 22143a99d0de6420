"""Providers of a fake server, and a clock that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from fake_llm import KEY, MODEL, TOOL, FakeLlm

from sfa_engine.agents.llm.budget import Question
from sfa_engine.agents.llm.client import Client
from sfa_engine.agents.llm.clock import Clock
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.health import Health
from sfa_engine.agents.llm.message import Answer, Message, Piece, Request, Tool
from sfa_engine.agents.llm.provider import ADAPTERS, Provider, provider
from sfa_engine.agents.llm.registry import Model, Registry
from sfa_engine.agents.llm.router import Attempt, Router

TLS = httpx.create_ssl_context()  # once: each takes 20 ms
REAL = [name for name in ADAPTERS if name != "system"]
SEARCH = Tool(
    TOOL,
    "Find tracks.",
    {
        "type": "object",
        "properties": {"words": {"type": "string"}, "bpm": {"type": "number"}},
        "required": ["words", "bpm"],
        "additionalProperties": False,
    },
)
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
ASKED = Request((Message("user", "what goes with this?"),), "Be short.")
WITH_TOOLS = Request(ASKED.messages, ASKED.system, (SEARCH,))
WITH_SCHEMA = Request(ASKED.messages, ASKED.system, schema=SCHEMA)


class Time:
    """A clock that moves when it is waited for."""

    def __init__(self) -> None:
        self.now_s, self.waits, self.chance = 1000.0, [], 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)

    @property
    def clock(self) -> Clock:
        def wall() -> float:
            return 1_790_000_000.0 + self.now_s  # in September 2026

        return Clock(lambda: self.now_s, wall, self.sleep, lambda: self.chance)


def made(adapter: str, url: str, name: str = "", **more: Any) -> Provider:
    """Return a provider of a fake server."""
    base = f"{url}/v1" if adapter in {"openai", "lm_studio", "custom_openai"} else url
    given = {"key": KEY, "model": MODEL, **more}
    return provider(name or adapter.replace("_", "-"), adapter, base, **given)


DESKS: list[Desk] = []  # to be closed


class Desk:
    """A router with all that belongs to it."""

    def __init__(
        self, providers: list[Provider], models: list[Model] | None = None, **question: Any
    ) -> None:
        DESKS.append(self)
        self.time = Time()
        self.client = Client(self.time.clock, httpx.AsyncClient(verify=TLS))
        self.health = Health(self.client, self.time.clock)
        self.attempts: list[Attempt] = []
        self.registry = Registry({(each.provider, each.name): each for each in models or ()})
        self.router = Router(
            providers, self.registry, self.client, self.health, self._record, self.time.clock
        )
        self.question = Question(self.time.clock.now, **question)

    async def _record(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    async def ask(self, request: Request = ASKED, **more: Any) -> tuple[list[str], Answer]:
        """Return the pieces and the answer."""
        pieces, answers = [], []
        async for event in self.router.ask(request, self.question, **more):
            (pieces.append(event.text) if isinstance(event, Piece) else answers.append(event))
        (answer,) = answers
        return pieces, answer

    async def fails(self, request: Request = ASKED, **more: Any) -> LlmError:
        """Return the error that a question ends with."""
        try:
            found = await self.ask(request, **more)
        except LlmError as failure:
            return failure
        raise AssertionError(f"it answered: {found}")

    @property
    def outcomes(self) -> list[str]:
        """The outcomes of all attempts."""
        return [each.outcome for each in self.attempts]


def with_fakes(scenario: Callable[..., Awaitable[Any]], count: int = 1) -> Any:
    """Run a scenario with some fake servers, in an event loop of its own."""

    async def run() -> Any:
        fakes = [FakeLlm() for _ in range(count)]
        for fake in fakes:
            await fake.__aenter__()
        try:
            return await scenario(*fakes)
        finally:
            while DESKS:
                await DESKS.pop().client.close()
            for fake in fakes:
                await fake.__aexit__()

    return asyncio.run(run())
