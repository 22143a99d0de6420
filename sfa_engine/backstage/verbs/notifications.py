"""``notifications.*``: what a person should know who was not there when it happened."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.notifier import Notifier
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.errors import Refused
from sfa_engine.library import notifications
from sfa_engine.library.database import Database
from sfa_engine.library.notifications import LAST, MAX_KEPT, Level, News, Notification
from sfa_engine.wire.verbs import Count, verb

Numbers = Annotated[list[Count], Meta(max_length=MAX_KEPT)]
Kind = Annotated[str, Meta(pattern=r"^[a-z]+\.[a-z_]+\Z", max_length=40)]
Sentence = Annotated[str, Meta(min_length=1, max_length=1000)]
Hint = Annotated[str, Meta(max_length=1000)]
DEFAULT_LIMIT = 100


class NotificationVerbs:
    """The verbs on notifications.

    Parameters
    ----------
    database : Database
    notifier : Notifier
    """

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    @verb(scope="read")
    async def notifications_list(
        self,
        unread: bool = False,
        limit: Annotated[int, Meta(ge=1, le=MAX_KEPT)] = DEFAULT_LIMIT,
        before: Count = LAST,
    ) -> dict[str, Any]:
        """Return notifications, newest first, and how many were not read."""
        async with self._database.reading() as connection:
            found = await notifications.list_notifications(
                connection, unread=unread, limit=limit, before=before
            )
            count = await notifications.count_unread(connection)
        return {"notifications": fit_in_frame(map(shown, found)), "unread": count}

    @verb(scope="prepare")
    async def notifications_read(
        self,
        notifications: Numbers = [],  # noqa: B006 - never changed
        everything: bool = False,
    ) -> dict[str, Any]:
        """Mark notifications as read: those named, or all."""
        numbers = None if everything else frozenset(notifications)
        if numbers is not None and not numbers:
            raise Refused("no notification is named", "name some, or say that all are meant")
        return {"count": len(await self._mark(numbers))}

    @verb(scope="admin")
    async def notifications_add(
        self,
        level: Level,
        kind: Kind,
        sentence: Sentence,
        hint: Hint = "",
        track: Count | None = None,
        job: Count | None = None,
    ) -> dict[str, Any]:
        """Add a notification of another process or program; return its number."""
        news = News(level, kind, sentence, hint, track, job)
        async with self._database.transaction() as connection:
            number = await notifications.add(connection, news, self._notifier.now())
        self._notifier.wake()
        return {"notification": number}

    async def _mark(self, numbers: frozenset[int] | None) -> list[Notification]:
        async with self._database.transaction() as connection:
            missing = await notifications.missing(connection, numbers or ())
            if missing:
                raise Refused(f"no notification {missing[0]}", "see `sfa notifications`")
            changed = await notifications.mark_read(connection, numbers)
        self._notifier.tell(changed)
        return changed


def shown(notification: Notification) -> dict[str, Any]:
    """Return a notification as clients get it."""
    return asdict(notification)
