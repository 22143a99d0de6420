"""The language models of every account: providers, keys, health, budgets, usage.

::

    llm_providers ─┐                             ┌─► router(account) ─► answers
    secrets ───────┼─► Provider, in their order ─┤
    environment ───┘                             └─► health(account)
                         llm_usage ◄── each attempt
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from sfa_engine.agents.llm import store
from sfa_engine.agents.llm.budget import DayBudget, Question
from sfa_engine.agents.llm.client import Client
from sfa_engine.agents.llm.clock import Clock
from sfa_engine.agents.llm.health import Health
from sfa_engine.agents.llm.provider import Provider, check_key, provider, system_providers
from sfa_engine.agents.llm.registry import Registry
from sfa_engine.agents.llm.router import Attempt, Router
from sfa_engine.agents.llm.store import StoredProvider
from sfa_engine.agents.settings import AgentsConfig
from sfa_engine.errors import Absent, LibraryError, Refused, did_you_mean
from sfa_engine.library.account_secrets import AccountSecrets
from sfa_engine.library.database import Database
from sfa_engine.library.secret import Secrets

logger = logging.getLogger(__name__)
MAX_PROVIDERS = 32  # of an account


@dataclass(frozen=True)
class ListedProvider:
    """A provider of an account, usable or not.

    Attributes
    ----------
    stored : StoredProvider
    provider : Provider, optional
        None if it cannot be used.
    problem : str
        Why not.
    """

    stored: StoredProvider
    provider: Provider | None
    problem: str = ""


class LanguageModels:
    """The language models of every account; close it at the end.

    Parameters
    ----------
    database : Database
    secrets : Secrets
    environment : mapping
        Variables, for the providers of the system.
    config : AgentsConfig
    user_file : pathlib.Path, optional
        The user's list of models.
    clock : Clock
    """

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        environment: Mapping[str, str],
        config: AgentsConfig | None = None,
        user_file: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._system = system_providers(environment)
        self.config = config or AgentsConfig()
        self._user_file = user_file
        self._clock = clock or Clock()
        self._client = Client(self._clock)
        self._health: dict[int, Health] = {}
        self._days: dict[int, dict[date, DayBudget]] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def health(self, account: int) -> Health:
        """Return what is known of an account's providers."""
        if account not in self._health:
            self._health[account] = Health(self._client, self._clock)
        return self._health[account]

    async def registry(self) -> Registry:
        """Return the list of models, with the user's file as it is now."""
        return await asyncio.to_thread(Registry.load, self._user_file)

    async def router(self, account: int) -> Router:
        """Return the router of an account."""
        usable = [each.provider for each in await self.listed(account) if each.provider]
        return Router(
            usable,
            await self.registry(),
            self._client,
            self.health(account),
            partial(self._record, account),
            self._clock,
        )

    async def question(self, account: int) -> Question:
        """Return the budget of a new question."""
        today = self._clock.today
        if today not in self._days.get(account, {}):
            async with self._database.reading() as connection:
                spent_usd = await store.spent_usd(connection, account, today)
            new = DayBudget(self.config.usd_per_day, spent_usd)
            # Two first questions at once have one budget; that of yesterday is dropped.
            self._days[account] = {today: self._days.get(account, {}).get(today, new)}
        day = self._days[account][today]
        return Question(self._clock.now, self.config.tokens, self.config.seconds, day)

    async def listed(self, account: int) -> list[ListedProvider]:
        """Return the providers of an account in its order, then those of the system."""
        async with self._database.reading() as connection:
            stored = await store.providers(connection, account)
        found = await asyncio.to_thread(self._with_keys, account, stored)
        return found + [
            ListedProvider(StoredProvider(each.name, each.adapter.name, each.url, each.model), each)
            for each in self._system
        ]

    async def add(
        self, account: int, stored: StoredProvider, key: str | None, place: int | None = None
    ) -> None:
        """Store a provider, in place of one of its name.

        Parameters
        ----------
        account : int
        stored : StoredProvider
        key : str, optional
            None: the one of before, if adapter and address are the same.
        place : int, optional
            In the order, from 1.

        Raises
        ------
        Refused
            It cannot be used so.
        """
        secrets, secret = AccountSecrets(self._secrets, account), _secret(stored.name)
        check_key(key or "")
        async with self._database.transaction() as connection:
            before = {each.name: each for each in await store.providers(connection, account)}
            was = before.get(stored.name)
            if was is None and len(before) >= MAX_PROVIDERS:
                raise Refused(f"there are {MAX_PROVIDERS} providers", "remove some")
            is_same = was is not None and (was.adapter, was.url) == (stored.adapter, stored.url)
            if key is None and is_same:
                kept = await asyncio.to_thread(secrets.get, secret)
                _provider(stored, kept or "")
            else:
                _provider(stored, key or "")
                if key:
                    await asyncio.to_thread(secrets.set, secret, key)
                else:
                    await asyncio.to_thread(secrets.remove, secret)
            await store.put_provider(connection, account, stored, place)

    async def move(self, account: int, name: str, place: int) -> None:
        """Move a provider to a place in the order, from 1.

        Raises
        ------
        Absent
            There is none of the name.
        """
        async with self._database.transaction() as connection:
            found = {each.name: each for each in await store.providers(connection, account)}
            if name not in found:
                raise _absent(name, found)
            await store.put_provider(connection, account, found[name], place)

    async def remove(self, account: int, name: str) -> None:
        """Remove a provider and its key.

        Raises
        ------
        Absent
            There is none of the name.
        """
        async with self._database.transaction() as connection:
            if not await store.remove_provider(connection, account, name):
                found = await store.providers(connection, account)
                raise _absent(name, [each.name for each in found])
            secrets = AccountSecrets(self._secrets, account)
            await asyncio.to_thread(secrets.remove, _secret(name))

    def _with_keys(self, account: int, stored: list[StoredProvider]) -> list[ListedProvider]:
        secrets = AccountSecrets(self._secrets, account)
        found = []
        for each in stored:
            try:
                key = secrets.get(_secret(each.name)) or ""
                found.append(ListedProvider(each, _provider(each, key)))
            except (Refused, LibraryError) as error:
                found.append(ListedProvider(each, None, error.message))
        return found

    async def _record(self, account: int, attempt: Attempt) -> None:
        """Store what an attempt took; an answer is not lost for a disk that is full."""
        usage = attempt.usage
        values = (
            *(attempt.provider.name, attempt.model, usage.input, usage.output),
            *(attempt.cost_usd, attempt.latency_ms, attempt.outcome),
        )
        try:
            async with self._database.transaction(durable=False) as connection:
                await store.add_usage(connection, account, self._clock.wall(), values)
        except LibraryError as error:
            logger.warning("usage of a language model is not stored: %s", error)


def _absent(name: str, names: Iterable[str]) -> Absent:
    hint = did_you_mean(name, names) or "see `sfa llm providers`"
    return Absent(f'no provider "{name:.40}"', hint)


def _secret(name: str) -> str:
    return f"llm.{name}"


def _provider(stored: StoredProvider, key: str) -> Provider:
    return provider(stored.name, stored.adapter, stored.url, stored.model, key, stored.api_version)
