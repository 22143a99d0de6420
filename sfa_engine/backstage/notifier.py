"""Makes notifications of what backstage sees, and passes new ones to listeners.

A job that failed for good gets its notification in the transaction of its end, see `Queue.fail`. A
batch is reported just after its last job has ended; a crash between the two loses the report.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from sfa_engine.backstage.job import LIVE, State
from sfa_engine.backstage.queue import Event, Queue
from sfa_engine.backstage.webhooks.store import Delivery, Webhook
from sfa_engine.errors import SfaError
from sfa_engine.library import notifications
from sfa_engine.library.database import Connection, row
from sfa_engine.library.notifications import Level, News, Notification
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)
PERIOD_S = 0.2  # many jobs that end at once are one look at their batch
RETRY_S = 5.0
MAX_BATCHES = 1000  # remembered as reported

Listener = Callable[[Notification], None]
# Live jobs are few, and found by their index: a batch may have 40,000.
_IS_LIVE = (
    "SELECT 1 FROM jobs INDEXED BY jobs_state JOIN batch_jobs ON job_id = jobs.id AND batch = ?"
    " WHERE state IN ('waiting', 'running') LIMIT 1"
)
_COUNTS = (
    "SELECT coalesce(sum(failed), 0) AS failed, coalesce(sum(good AND NOT failed), 0) AS good,"
    " max(track_id) AS track FROM (SELECT track_id, max(state = 'failed') AS failed,"
    " track_id IS NOT NULL AND max(state IN ('done', 'skipped')) AS good"
    " FROM batch_jobs JOIN jobs ON jobs.id = job_id WHERE batch = ?"
    " GROUP BY coalesce(track_id, -jobs.id))"
)
# The job by which the report has its readers: one that as few as possible wait for.
_READERS = (
    "SELECT id FROM batch_jobs JOIN jobs ON jobs.id = job_id WHERE batch = ?"
    " ORDER BY account IS NULL, (SELECT count(*) FROM job_accounts AS other"
    " WHERE other.job_id = jobs.id), id LIMIT 1"
)


class Notifier:
    """Makes notifications, and passes on those that were added.

    Parameters
    ----------
    queue : Queue
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._database = queue.database
        self._listeners: list[Listener] = []
        self._wake = asyncio.Event()
        self._waiting: list[News] = []
        self._batches: dict[str, None] = {}  # to be looked at
        self._reported: dict[str, None] = {}
        self._last = 0
        queue.listen(self._on_event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with each new or changed one; return a function that stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, changed: Iterable[Notification]) -> None:
        """Pass changed ones to the listeners."""
        for each in changed:
            for listener in list(self._listeners):
                listener(each)

    def add(self, news: News) -> None:
        """Add one soon; the library may be locked or the disk full until then."""
        self._waiting.append(news)
        self._wake.set()

    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        return self._queue.now()

    def wake(self) -> None:
        """Look for those that others have added."""
        self._wake.set()

    async def webhook_failed(
        self, connection: Connection, webhook: Webhook, delivery: Delivery, error: str
    ) -> None:
        """Add what is said of a delivery that is not tried again, in the transaction of its end."""
        sentence = f"webhook {webhook.id}: {delivery.event} was not delivered: {error}"
        hint = f"`sfa webhook send-again {delivery.id}` sends it once more"
        news = News(Level.WARNING, "webhook.failed", sayable(sentence), hint)
        await notifications.add(connection, news, self.now())
        self.wake()

    async def run(self) -> None:
        """Run until cancelled."""
        async with self._database.reading() as connection:
            self._last = await notifications.last_number(connection)
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._work()
            except SfaError as error:  # the disk is full or the file locked: temporary
                logger.warning("notifications: %s", error)
                self._wake.set()
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(PERIOD_S)

    def _on_event(self, event: Event) -> None:
        for batch in event.batches:
            if event.state in LIVE:
                self._reported.pop(batch, None)
            elif batch not in self._reported:
                self._batches[batch] = None
                self._wake.set()
        if event.state is State.FAILED:
            self._wake.set()

    async def _work(self) -> None:
        waiting, batches = list(self._waiting), list(self._batches)
        if waiting or batches:
            async with self._database.transaction(durable=False) as connection:
                ended = [batch for batch in batches if not await _is_live(connection, batch)]
                done = [await _of_batch(connection, batch) for batch in ended]
                for news in (*waiting, *filter(None, done)):
                    await notifications.add(connection, news, self._queue.now())
            del self._waiting[: len(waiting)]
            self._forget(batches, ended)
        async with self._database.reading() as connection:
            found = await notifications.later_than(connection, self._last)
        if found:
            self._last = found[-1].id
            self.tell(found)

    def _forget(self, seen: Iterable[str], ended: Iterable[str]) -> None:
        for batch in seen:
            self._batches.pop(batch, None)
        self._reported |= dict.fromkeys(ended)
        while len(self._reported) > MAX_BATCHES:
            del self._reported[next(iter(self._reported))]


async def _is_live(connection: Connection, batch: str) -> bool:
    return await row(connection, _IS_LIVE, (batch,)) is not None


async def _of_batch(connection: Connection, batch: str) -> News | None:
    """Return what is said of a batch that has ended; None if all of it was cancelled."""
    counts = await row(connection, _COUNTS, (batch,))
    assert counts is not None
    good, failed = int(counts["good"]), int(counts["failed"])
    found = await row(connection, _READERS, (batch,))
    job = None if found is None else int(found["id"])
    track = counts["track"] if good + failed == 1 else None
    ready = "1 track is ready" if good == 1 else f"{good} tracks are ready"
    if failed:
        hint = "see `sfa jobs list --failed`"
        return News(Level.WARNING, "batch.done", f"{ready}, {failed} failed", hint, track, job)
    return News(Level.INFO, "batch.done", ready, "", track, job) if good else None
