"""``llm.*``: the language models of an account: providers, their health, models, usage.

Keys are stored encrypted, see `library.secret`, and never shown again. Nothing of
`sfa_engine.agents.llm` is imported before one of these verbs is called.
"""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import By
from sfa_engine.backstage.context import PrepContext
from sfa_engine.errors import Absent
from sfa_engine.library.secret import MAX_BYTES, Secrets
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import NO_NUL, verb

if TYPE_CHECKING:
    from sfa_engine.agents.llm.service import LanguageModels, ListedProvider

MAX_PLACE = 32
ProviderName = Annotated[
    str,
    Meta(
        pattern=r"^(?!system)[a-z0-9][a-z0-9-]{0,31}\Z",
        max_length=32,
        extra_json_schema={
            "description": "a name of at most 32 lower-case letters, digits and hyphens, which"
            " does not begin with system"
        },
    ),
]
Word = Annotated[str, Meta(max_length=200, pattern=NO_NUL)]
Url = Annotated[str, Meta(max_length=500, pattern=NO_NUL)]
Key = Annotated[str, Meta(min_length=1, max_length=MAX_BYTES, pattern=NO_NUL)]
Place = Annotated[int, Meta(ge=1, le=MAX_PLACE)]
Days = Annotated[int, Meta(ge=1, le=366)]


class LlmVerbs:
    """The verbs on language models.

    Parameters
    ----------
    context : PrepContext
    """

    def __init__(self, context: PrepContext) -> None:
        self._context = context
        self._opened: LanguageModels | None = None

    @property
    def models(self) -> LanguageModels:
        """The language models, made at the first use."""
        if self._opened is None:
            from sfa_engine.agents.llm.service import LanguageModels

            settings = self._context.settings
            self._opened = LanguageModels(
                self._context.database,
                Secrets(settings.data),
                os.environ,
                settings.agents,
                settings.language_models,
            )
        return self._opened

    async def close(self) -> None:
        """Close connections to providers."""
        if self._opened is not None:
            await self._opened.close()

    @verb(scope="read", slow=True, owned=True)
    async def llm_providers(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the account's providers in the order in which they are asked, and their health.

        Providers of the environment come last. If a question was asked within the hour, health that
        is older than five minutes is checked anew, which costs nothing.
        """
        listed = await self.models.listed(actor.account)
        health = self.models.health(actor.account)
        await health.poll([each.provider for each in listed if each.provider])
        return {"providers": [self._shown(each, actor) for each in listed]}

    @verb(scope="prepare", owned=True, restricted={"url": "admin"})
    async def llm_add(
        self,
        name: ProviderName,
        adapter: Word,
        url: Url = "",
        model: Word = "",
        key: Key | None = None,
        api_version: Word = "",
        place: Place | None = None,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Add a provider of language models, or change the one of its name.

        Without a key the one of before is kept, if adapter and address are the same. `place` is
        that in the order, from 1; a new one is last.
        """
        from sfa_engine.agents.llm.store import StoredProvider

        stored = StoredProvider(name, adapter, url.rstrip("/"), model, api_version)
        await self.models.add(actor.account, stored, key, place)
        return self._shown(await self._one(name, actor), actor)

    @verb(scope="prepare", owned=True)
    async def llm_move(
        self, name: ProviderName, place: Place, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Move a provider to a place in the order in which they are asked, from 1."""
        await self.models.move(actor.account, name, place)
        return self._shown(await self._one(name, actor), actor)

    @verb(scope="prepare", owned=True)
    async def llm_remove(self, name: ProviderName, actor: By = SYSTEM) -> dict[str, Any]:
        """Remove a provider and its key."""
        await self.models.remove(actor.account, name)
        return {"removed": name}

    @verb(scope="prepare", slow=True, owned=True)
    async def llm_test(self, name: Word, actor: By = SYSTEM) -> dict[str, Any]:
        """Check a provider's health now, by a request that costs nothing."""
        listed = await self._one(name, actor)
        if listed.provider is not None:
            await self.models.health(actor.account).check(listed.provider)
        return self._shown(listed, actor)

    @verb(scope="read", slow=True, owned=True)
    async def llm_models(self, name: Word, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the models that a provider lists, and those that are known: prices and grades.

        Prices are US dollars for a million tokens; null is unknown. ``listed`` is null for a model
        of a provider whose list is not known.
        """
        one = await self._one(name, actor)
        listed: dict[str, int | None] = {}
        is_known = False
        if one.provider is not None:
            health = self.models.health(actor.account)
            status = health.of(one.provider)
            if status.checked_s is None:
                status = await health.check(one.provider)
            listed = {each.name: each.context for each in status.listed}
            is_known = status.state == "ready"
        registry = await self.models.registry()
        known = [each.name for each in registry.of(one.stored.adapter)]
        found = []
        for each in dict.fromkeys((*known, *listed)):
            row = registry.find(one.stored.adapter, each)
            given, said = row.prices(0, date.today())  # noqa: DTZ011 - the user's day
            is_free = one.provider is not None and one.provider.is_free(each)
            found.append(
                {
                    "name": each,
                    "listed": each in listed if is_known else None,
                    "context": row.context or listed.get(each),
                    "tools": row.tools,
                    "json": row.json,
                    "input_usd": 0.0 if is_free else given,
                    "output_usd": 0.0 if is_free else said,
                    "quality": row.quality,
                    "speed": row.speed,
                }
            )
        return {"name": name, "models": found}

    @verb(scope="read", owned=True)
    async def llm_usage(self, days: Days = 30, actor: By = SYSTEM) -> dict[str, Any]:
        """Return what the account asked of language models, by day, provider and model.

        ``cost_usd`` is the sum of the known costs, null if none is; ``unpriced`` answers have no
        known cost, ``uncounted`` ones no known number of tokens.
        """
        from sfa_engine.agents.llm import store

        async with self._context.database.reading() as connection:
            found = await store.usage(connection, actor.account, days, date.today())  # noqa: DTZ011
        return {"usage": found, "usd_per_day": self._context.settings.agents.usd_per_day}

    async def _one(self, name: str, actor: Actor) -> ListedProvider:
        for each in await self.models.listed(actor.account):
            if each.stored.name == name:
                return each
        raise Absent(f'no provider "{name:.40}"', "see `sfa llm providers`")

    def _shown(self, listed: ListedProvider, actor: Actor) -> dict[str, Any]:
        """Return a provider as plain values, without its key."""
        stored, provider = listed.stored, listed.provider
        is_system = provider is not None and provider.is_system
        url = provider.url if provider is not None else stored.url
        shown = {
            "name": stored.name,
            "adapter": stored.adapter,
            "url": url if actor.has("admin") or not is_system else "",
            "model": stored.model,
            "is_system": is_system,
            "has_key": provider is not None and bool(provider.key),
        }
        if provider is None:
            return shown | {
                "state": "key refused", "until_s": None, "checked_s": None, "why": listed.problem
            }  # fmt: skip
        status = self.models.health(actor.account).of(provider)
        return shown | {
            "state": status.state,
            "until_s": status.until_s,
            "checked_s": status.checked_s,
            "why": status.why,
        }
