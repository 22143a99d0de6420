"""``notifications.*``: what a person should know who was not there when it happened."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import By, JobOwners
from sfa_engine.backstage.notifier import Notifier
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.errors import Absent, Refused
from sfa_engine.library import notifications
from sfa_engine.library.database import Database
from sfa_engine.library.notifications import LAST, MAX_KEPT, Level, News, Notification
from sfa_engine.wire.rights import SYSTEM, Actor
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

    @verb(scope="read", owned=True)
    async def notifications_list(
        self,
        unread: bool = False,
        limit: Annotated[int, Meta(ge=1, le=MAX_KEPT)] = DEFAULT_LIMIT,
        before: Count = LAST,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return notifications, newest first, and how many were not read."""
        async with self._database.reading() as connection:
            every = await notifications.list_notifications(connection)
        mine = [each for each in every if seen_by(each, actor)]
        found = [each for each in mine if each.id < before and not (unread and each.read)]
        count = sum(not each.read for each in mine)
        return {"notifications": fit_in_frame(map(shown, found[:limit])), "unread": count}

    @verb(scope="prepare", owned=True)
    async def notifications_read(
        self,
        notifications: Numbers = [],  # noqa: B006 - never changed
        everything: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Mark notifications as read: those named, or all."""
        numbers = None if everything else frozenset(notifications)
        if numbers is not None and not numbers:
            raise Refused("no notification is named", "name some, or say that all are meant")
        return {"count": len(await self._mark(numbers, actor))}

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

    async def _mark(self, numbers: frozenset[int] | None, actor: Actor) -> list[Notification]:
        async with self._database.transaction() as connection:
            every = await notifications.list_notifications(connection)
            there = {each.id for each in every if seen_by(each, actor)}
            if missing := sorted((numbers or frozenset()) - there):
                raise Absent(f"no notification {missing[0]}", "see `sfa notifications`")
            changed = await notifications.mark_read(connection, numbers or there)
        self._notifier.tell(changed)
        return changed


def seen_by(notification: Notification, actor: Actor) -> bool:
    """Return whether a notification is there for an actor: as its job is, or without one."""
    return JobOwners(notification.account, notification.accounts).seen_by(actor)


def shown(notification: Notification) -> dict[str, Any]:
    """Return a notification as clients get it, who need not know whose it is besides theirs."""
    found = asdict(notification)
    del found["account"], found["accounts"]
    return found
