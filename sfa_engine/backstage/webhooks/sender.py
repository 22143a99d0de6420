"""Delivers what is in the queue of each webhook: one message of each at a time, with retries.

A delivery waits until a try has ended and is recorded: one in flight when the process is killed
is tried again, so an endpoint may get a message twice, by the same ``webhook-id``.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sfa_engine.backstage.job import Job
from sfa_engine.backstage.webhooks import store
from sfa_engine.backstage.webhooks.event import TEST, body_of, data_of, event_of
from sfa_engine.backstage.webhooks.post import Answer, Poster
from sfa_engine.backstage.webhooks.signature import headers_of
from sfa_engine.backstage.webhooks.store import Delivery, Webhook
from sfa_engine.errors import Refused, SfaError
from sfa_engine.library import tracks
from sfa_engine.library.database import Connection, Database
from sfa_engine.library.secret import Secrets

logger = logging.getLogger(__name__)
DELAYS_S = (5.0, 300.0, 1800.0, 7200.0)  # before the second and each further try
JITTER = 0.1  # of a delay, more or less: endpoints that failed together are not asked together
MAX_RETRY_AFTER_S = 7200.0  # that an endpoint may ask for
LONGEST_S = DELAYS_S[-1] * (1 + JITTER)  # what is due later was scheduled before a change of clock
POLL_S = 60.0
DATABASE_RETRY_S = 5.0

OnFailed = Callable[[Connection, Webhook, Delivery, str], Awaitable[None]]


async def _nothing(_: Connection, __: Webhook, ___: Delivery, ____: str) -> None:
    """Do nothing."""


@dataclass
class Sender:
    """Queues messages and delivers them.

    Parameters
    ----------
    database : Database
    secrets : Secrets
        Encrypts the secrets of webhooks.
    poster : Poster
    now : callable
        Seconds since 1970.
    rng : random.Random
        For the jitter.
    on_failed : callable
        Called with an endpoint, its delivery and the error when no try is left, in the
        transaction that records this.
    """

    database: Database
    secrets: Secrets
    poster: Poster
    now: Callable[[], float] = time.time
    rng: random.Random = field(default_factory=random.Random)
    on_failed: OnFailed = _nothing
    _at_work: dict[int, asyncio.Task[None]] = field(default_factory=dict)  # by endpoint
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_sending(self) -> bool:
        """Whether a message is in flight."""
        return bool(self._at_work)

    def wake(self) -> None:
        """Look at the queues again."""
        self._wake.set()

    async def on_end(self, connection: Connection, job: Job) -> None:
        """Queue the event of a job's end, in the transaction that ends it."""
        event = event_of(job)
        numbers = await store.wanting(connection, event) if event else []
        if event is None or not numbers:
            return
        track = None
        if job.track is not None:
            with suppress(Refused):  # it was deleted meanwhile
                track = await tracks.get(connection, job.track)
        body = body_of(event, self.now(), data_of(event, job, track))
        for number in numbers:
            if not await store.put(connection, number, event, body, self.now()):
                logger.warning("webhook %d: its queue is full; %s is not sent", number, event)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                wait_s = await self._begin_due(group)
                # Not `wait_for`: in Python 3.11 that may swallow a cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()

    async def _begin_due(self, group: asyncio.TaskGroup) -> float:
        """Begin what is due; return how long to wait for more."""
        busy = set(self._at_work)  # whose message is still in what is read, if it ends meanwhile
        try:
            async with self.database.reading() as connection:
                found = await store.next_of_each(connection)
        except SfaError as error:  # the disk failed, or the file is locked: temporary
            logger.warning("%s", error)
            return DATABASE_RETRY_S
        wait_s = POLL_S
        for delivery in found:
            if delivery.webhook in busy:
                continue
            left_s = delivery.due_s - self.now()
            if 0.0 < left_s <= LONGEST_S:
                wait_s = min(wait_s, left_s)
                continue
            task = group.create_task(self._deliver(delivery))
            self._at_work[delivery.webhook] = task
        return wait_s

    async def _deliver(self, delivery: Delivery) -> None:
        """Make a try, and record it."""
        try:
            async with self.database.reading() as connection:
                webhook = await store.get(connection, delivery.webhook, self.now())
            at_s = self.now()
            answer = await self._post(webhook, delivery.uuid, delivery.body)
            async with self.database.transaction(durable=False) as connection:
                await self._record(connection, webhook, delivery, answer, at_s)
        except Refused:  # the endpoint was removed
            pass
        except SfaError as error:  # the disk is full or the file locked: it is sent once more
            logger.warning("delivery %d: %s", delivery.id, error)
            await asyncio.sleep(DATABASE_RETRY_S)
        finally:
            del self._at_work[delivery.webhook]
            self.wake()

    async def _post(self, webhook: Webhook, uuid: str, body: str) -> Answer:
        """Sign a message and send it once."""
        data = body.encode()
        try:
            keys = [await asyncio.to_thread(self.secrets.decrypt, each) for each in webhook.secrets]
            return await self.poster.send(
                webhook.url, headers_of(uuid, self.now(), data, keys), data
            )
        except SfaError as error:
            return Answer(None, 0.0, str(error))
        except Exception as error:
            logger.exception("webhook %d", webhook.id)
            return Answer(None, 0.0, f"internal error: {type(error).__name__}: {error}")

    async def _record(
        self,
        connection: Connection,
        webhook: Webhook,
        delivery: Delivery,
        answer: Answer,
        at_s: float,
    ) -> None:
        retry_s = None
        if answer.error and not answer.is_gone and delivery.tries < len(DELAYS_S):
            retry_s = self.now() + self._delay_s(delivery.tries, answer)
        if not await store.record(connection, delivery, answer, at_s, retry_s):
            return
        if answer.is_gone:
            await store.disable(connection, webhook.id, answer.error)
        if answer.error and retry_s is None:
            logger.warning("webhook %d: %s failed: %s", webhook.id, delivery.event, answer.error)
            await self.on_failed(connection, webhook, delivery, answer.error)

    def _delay_s(self, tries: int, answer: Answer) -> float:
        """Return the time until the next try, after so many before the last one."""
        delay_s = DELAYS_S[tries] * self.rng.uniform(1 - JITTER, 1 + JITTER)
        return max(delay_s, min(answer.retry_after_s or 0.0, MAX_RETRY_AFTER_S))

    async def test(self, number: int) -> tuple[str, Answer]:
        """Send an endpoint a message at once, and only once; return its id, and the answer."""
        async with self.database.reading() as connection:
            webhook = await store.get(connection, number, self.now())
        uuid = store.new_uuid()
        body = body_of(TEST, self.now(), {"webhook": number})
        return uuid, await self._post(webhook, uuid, body)
