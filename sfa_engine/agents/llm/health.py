"""Whether providers can be asked: what requests showed, and checks that cost nothing.

=============  ===============================================================
ready          it answered a request or a check
key refused    401 or 403
unreachable    no connection
out of quota   until a time: what the provider says, else an hour
unknown        not asked yet, changed since, or it answered a check with an error
=============  ===============================================================
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from sfa_engine.agents.llm.client import Client
from sfa_engine.agents.llm.clock import Clock
from sfa_engine.agents.llm.dialect import ListedModel, decode
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.provider import Provider

POLL_S = 300.0  # between checks of a provider
USED_S = 3600.0  # since the last question, after which nothing is polled
QUOTA_S = 3600.0  # that a provider is not asked for, if it does not say until when
MAX_LISTED = 2000

State = Literal["ready", "key refused", "unreachable", "out of quota", "unknown"]


@dataclass(frozen=True)
class ProviderStatus:
    """What is known of a provider.

    Attributes
    ----------
    state : State
    until_s : float, optional
        Since 1970; of ``out of quota``.
    checked_s : float, optional
        Since 1970.
    why : str
        The provider's words, where it is not ready.
    listed : tuple of ListedModel
        Its models.
    tools : bool, optional
        Whether the model calls tools, if the provider says.
    """

    state: State = "unknown"
    until_s: float | None = None
    checked_s: float | None = None
    why: str = ""
    listed: tuple[ListedModel, ...] = ()
    tools: bool | None = None

    @property
    def is_failing(self) -> bool:
        """Whether others are asked first."""
        return self.state in {"key refused", "unreachable", "out of quota"}


class Health:
    """What is known of the providers of one account.

    Parameters
    ----------
    client : Client
    clock : Clock
    """

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or Clock()
        self._known: dict[str, tuple[Provider, ProviderStatus]] = {}
        self._checking: dict[str, tuple[Provider, asyncio.Task[ProviderStatus]]] = {}
        self._used_s: float | None = None

    def of(self, provider: Provider) -> ProviderStatus:
        """Return what is known of a provider; nothing of one that was changed."""
        known, status = self._known.get(provider.name, (None, ProviderStatus()))
        if known != provider:
            return ProviderStatus()
        if status.until_s is not None and status.until_s <= self._clock.wall():
            return replace(status, state="unknown", until_s=None, why="")
        return status

    def used(self) -> None:
        """Remember that a question is asked: polls are useful for an hour."""
        self._used_s = self._clock.now()

    def succeeded(self, provider: Provider) -> None:
        """Remember that a provider answered."""
        self._set(provider, replace(self.of(provider), state="ready", until_s=None, why=""))

    def failed(self, provider: Provider, error: LlmError, wait_s: float | None = None) -> None:
        """Remember a failure that says something of the provider.

        Parameters
        ----------
        provider : Provider
        error : LlmError
        wait_s : float, optional
            That it asks for, where it is too long to wait.
        """
        before = self.of(provider)
        if error.kind == "quota" or (error.kind == "rate_limit" and wait_s is not None):
            until_s = self._clock.wall() + (QUOTA_S if wait_s is None else wait_s)
            found = replace(before, state="out of quota", until_s=until_s, why=error.message)
        elif error.kind == "key_refused":
            found = replace(before, state="key refused", until_s=None, why=error.message)
        elif error.kind == "unreachable":
            found = replace(before, state="unreachable", until_s=None, why=error.message)
        else:
            return
        self._set(provider, found)

    async def poll(self, providers: Sequence[Provider]) -> None:
        """Check what was not checked lately, if a question was asked within the hour."""
        if self._used_s is None or self._clock.now() - self._used_s > USED_S:
            return
        due = [each for each in providers if self.is_due(each)]
        await asyncio.gather(*(self.check(each) for each in due))

    async def check(self, provider: Provider) -> ProviderStatus:
        """Ask a provider for its health and models, which costs nothing; return what is known.

        Checks of one provider at the same time are one.
        """
        checked, task = self._checking.get(provider.name, (None, None))
        if task is None or task.done() or checked != provider:
            task = asyncio.create_task(self._check(provider))
            self._checking[provider.name] = (provider, task)
        return await asyncio.shield(task)

    def is_due(self, provider: Provider) -> bool:
        """Return whether a provider was not checked for five minutes."""
        status = self.of(provider)
        if status.until_s is not None:
            return False
        return status.checked_s is None or self._clock.wall() - status.checked_s >= POLL_S

    async def _check(self, provider: Provider) -> ProviderStatus:
        adapter = provider.adapter
        try:
            body = await self._client.get(provider, adapter.health)
            if adapter.models != adapter.health:
                body = await self._client.get(provider, adapter.models)
            listed = tuple(provider.dialect.listed(body)[:MAX_LISTED])
            status = ProviderStatus("ready", listed=listed)
            if adapter.name == "ollama":
                status = await self._with_details(provider, status)
        except LlmError as error:
            self.failed(provider, error, error.retry_after_s)
            status = self.of(provider)
            if not status.is_failing:
                status = replace(status, state="unknown", why=error.message)
        status = replace(status, checked_s=self._clock.wall())
        self._set(provider, status)
        return status

    async def _with_details(self, provider: Provider, status: ProviderStatus) -> ProviderStatus:
        """Return what Ollama says of the model that is used: its context, and whether it calls."""
        model = provider.model or next((each.name for each in status.listed), "")
        if model not in {each.name for each in status.listed}:
            return status
        body = await self._client.get(provider, "/api/show", msgspec.json.encode({"model": model}))
        shown = decode(body, _Shown)
        context = next(
            (n for key, n in shown.model_info.items() if key.endswith(".context_length")), None
        )
        listed = tuple(
            ListedModel(model, context if isinstance(context, int) else None)
            if each.name == model
            else each
            for each in status.listed
        )
        tools = None if shown.capabilities is None else "tools" in shown.capabilities
        return replace(status, listed=listed, tools=tools)

    def _set(self, provider: Provider, status: ProviderStatus) -> None:
        self._known[provider.name] = (provider, status)


class _Shown(msgspec.Struct):
    model_info: dict[str, object] = msgspec.field(default_factory=dict)
    capabilities: list[str] | None = None
