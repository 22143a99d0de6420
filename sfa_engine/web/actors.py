"""Who cookies and tokens sign in, without a search of the accounts for each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from sfa_engine.web.database import Connection
from sfa_engine.web.rights import Actor

MAX_KEPT = 256
KEPT_S = 1.0  # within which a secret may have expired
Found = tuple[Actor, bool] | None
Find = Callable[[Connection, str], Found]


class Actors:
    """Remembers who a secret signs in, as long as nothing is written to the accounts.

    Whatever another connection writes, this process's or the command line's, changes the data
    version that SQLite has of the file: a user who is suspended is out at the next request.

    Parameters
    ----------
    connection : Connection
        That writes nothing itself.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._cursor.row_factory = None
        self._version = -1
        self._kept: dict[tuple[Find, str, str], tuple[float, Found]] = {}

    def find(self, find: Find, secret: str, address: str = "") -> Found:
        """Return what a function of `secrets` says of a secret: who it signs in, if anybody.

        Parameters
        ----------
        find : callable
        secret : str
        address : str
            Of the sender, which the actor has then.
        """
        now_s = time.monotonic()
        (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self._kept.clear()
        key = (find, secret, address)
        at_s, found = self._kept.get(key, (0.0, None))
        if found is None or now_s - at_s > KEPT_S:
            found = find(self._connection, secret)
            if found is not None:
                found = replace(found[0], address=address), found[1]
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = now_s, found
        return found
