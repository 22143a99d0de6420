"""``webhooks.*``: endpoints that messages are sent to, and what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpcore
from msgspec import Meta

from sfa_engine.backstage.job_store import LAST
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.backstage.webhooks import store
from sfa_engine.backstage.webhooks.address import Network, check_url
from sfa_engine.backstage.webhooks.event import EventName
from sfa_engine.backstage.webhooks.network import Resolve, check_addresses, resolve
from sfa_engine.backstage.webhooks.sender import Sender
from sfa_engine.backstage.webhooks.signature import new_secret
from sfa_engine.backstage.webhooks.store import EVERY, Webhook
from sfa_engine.errors import Refused
from sfa_engine.wire.verbs import NO_NUL, Count, Text, verb

MAX_LISTED = 200  # deliveries in an answer

Event = EventName | Literal["*"]
Events = Annotated[list[Event], Meta(min_length=1, max_length=10)]
Description = Annotated[str, Meta(max_length=200, pattern=NO_NUL)]
Number = Annotated[int, Meta(ge=1, le=1 << 53)]
State = Literal["waiting", "delivered", "failed"]


class WebhookVerbs:
    """The verbs on webhooks.

    Parameters
    ----------
    sender : Sender
    networks : sequence of Network
        Allowed although they are not of the internet.
    resolver : callable
        Returns the addresses of a name.
    """

    def __init__(
        self, sender: Sender, networks: Sequence[Network], resolver: Resolve = resolve
    ) -> None:
        self._sender = sender
        self._database = sender.database
        self._networks = networks
        self._resolve = resolver

    @verb(scope="admin", slow=True)
    async def webhooks_add(
        self,
        url: Text,
        events: Events | None = None,
        description: Description = "",
    ) -> dict[str, Any]:
        """Add an endpoint for some events, or all; its secret is in this answer only."""
        await self._check(url)
        secret = new_secret()
        token = await asyncio.to_thread(self._sender.secrets.encrypt, secret)
        async with self._database.transaction() as connection:
            made = await store.add(
                connection, url, events or [EVERY], description, token, self._now()
            )
        return {**_shown(made, {}), "secret": secret}

    @verb(scope="admin")
    async def webhooks_list(self) -> dict[str, Any]:
        """Return the endpoints, and how many deliveries of each are in each state."""
        async with self._database.reading() as connection:
            found = await store.listed(connection, self._now())
            counts = await store.counts(connection)
        return {"webhooks": [_shown(each, counts.get(each.id, {})) for each in found]}

    @verb(scope="admin")
    async def webhooks_show(self, webhook: Number) -> dict[str, Any]:
        """Return an endpoint."""
        async with self._database.reading() as connection:
            found = await store.get(connection, webhook, self._now())
            counts = await store.counts(connection)
        return _shown(found, counts.get(webhook, {}))

    @verb(scope="admin", slow=True)
    async def webhooks_set(
        self,
        webhook: Number,
        url: Text | None = None,
        events: Events | None = None,
        description: Description | None = None,
        active: bool | None = None,
    ) -> dict[str, Any]:
        """Change an endpoint; one that is not active gets nothing, what waits for it stays."""
        if url is not None:
            await self._check(url)
        async with self._database.transaction() as connection:
            found = await store.get(connection, webhook, self._now())
            changed = replace(
                found,
                url=found.url if url is None else url,
                events=found.events if events is None else tuple(events),
                description=found.description if description is None else description,
                active=found.active if active is None else active,
                problem="" if active else found.problem,
            )
            await store.update(connection, changed)
            found = await store.get(connection, webhook, self._now())
            counts = await store.counts(connection)
        self._sender.wake()
        return _shown(found, counts.get(webhook, {}))

    @verb(scope="admin")
    async def webhooks_remove(self, webhook: Number) -> dict[str, Any]:
        """Remove an endpoint, with all that waits for it."""
        async with self._database.transaction() as connection:
            found = await store.get(connection, webhook, self._now())
            await store.remove(connection, webhook)
        return {"removed": found.url}

    @verb(scope="admin")
    async def webhooks_rotate(self, webhook: Number) -> dict[str, Any]:
        """Make a new secret for an endpoint; for a day the old one signs too."""
        secret = new_secret()
        token = await asyncio.to_thread(self._sender.secrets.encrypt, secret)
        async with self._database.transaction() as connection:
            await store.get(connection, webhook, self._now())
            await store.rotate(connection, webhook, token, self._now())
        return {"id": webhook, "secret": secret, "old_until_s": self._now() + store.OLD_SECRET_S}

    @verb(scope="admin", slow=True)
    async def webhooks_test(self, webhook: Number) -> dict[str, Any]:
        """Send an endpoint a ``webhook.test`` now, and only once; return its answer."""
        uuid, answer = await self._sender.test(webhook)
        return {
            "uuid": uuid,
            "status": answer.status,
            "seconds": answer.seconds,
            "error": answer.error,
        }

    @verb(scope="admin")
    async def webhooks_deliveries(
        self,
        webhook: Number | None = None,
        state: State | None = None,
        limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = 50,
        before: Count = LAST,
    ) -> dict[str, Any]:
        """Return deliveries, newest first, each with its body and tries."""
        async with self._database.reading() as connection:
            if webhook is not None:
                await store.get(connection, webhook, self._now())
            found = await store.deliveries(connection, webhook, state, before, limit)
        return {"deliveries": fit_in_frame(found)}

    @verb(scope="admin")
    async def webhooks_send_again(self, delivery: Number) -> dict[str, Any]:
        """Send a delivery again, by the same ``webhook-id``, with all its tries."""
        async with self._database.transaction() as connection:
            again = await store.send_again(connection, delivery, self._now())
        self._sender.wake()
        return {"id": again.id, "uuid": again.uuid, "webhook": again.webhook}

    def _now(self) -> float:
        return self._sender.now()

    async def _check(self, url: str) -> None:
        """Refuse an address that would not be sent to; a name may be unknown as yet."""
        check_url(url)
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            found = await self._resolve(host, parts.port or 0)
        except (OSError, UnicodeError, TimeoutError):
            return
        try:
            check_addresses(host, found, self._networks)
        except httpcore.ConnectError as error:
            what, _, hint = str(error).partition("; ")
            raise Refused(what, hint) from None


def _shown(webhook: Webhook, counts: dict[str, int]) -> dict[str, Any]:
    """Return an endpoint as plain values, without its secrets."""
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "description": webhook.description,
        "active": webhook.active,
        "problem": webhook.problem,
        "dropped": webhook.dropped,
        "created_s": webhook.created_s,
        "is_rotating": len(webhook.secrets) > 1,
        "deliveries": {state: counts.get(state, 0) for state in ("waiting", "delivered", "failed")},
    }
