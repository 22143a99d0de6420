"""What backstage knows of the set that the stage plays."""

from __future__ import annotations

import asyncio

from sfa_engine.desk import session_lock


class Session:
    """The session, as the stage says; unlocked where there is no stage.

    Attributes
    ----------
    lock : str
        What ``session.lock`` is set to: ``off``, ``auto`` or ``on``.
    """

    def __init__(self) -> None:
        self.lock = "off"
        self._unlocked = asyncio.Event()
        self._unlocked.set()

    @property
    def locked(self) -> bool:
        """Whether what could ruin a set is refused."""
        return not self._unlocked.is_set()

    @locked.setter
    def locked(self, locked: bool) -> None:
        if locked:
            self._unlocked.clear()
        else:
            self._unlocked.set()

    def check(self, doing: str, *, force: bool) -> None:
        """Refuse what could ruin the set while the session is locked, unless it is forced."""
        session_lock.check_session(doing, locked=self.locked, force=force)

    async def wait_unlocked(self) -> None:
        """Wait until the session is not locked."""
        await self._unlocked.wait()
