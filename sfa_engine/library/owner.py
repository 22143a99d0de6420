"""The owner of a bundle, read from the library's file.

For programs that write bundles while another process has the library open.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sfa_engine.library.places import Places
from sfa_engine.library.sqlite_errors import translate_sqlite_errors


def owner_of(places: Places, bundle: Path) -> int | None:
    """Return the track of a bundle, removed or not.

    Parameters
    ----------
    places : Places
        Of the library.
    bundle : Path
        A folder; it need not exist: a restored track returns to its own.

    Returns
    -------
    int or None
        Number of the track; None if there is none, or no library.

    Raises
    ------
    LibraryError
        The library cannot be read.
    """
    if not places.has(bundle) or not places.database.exists():
        return None
    address = f"file:{quote(str(places.database.absolute()))}?mode=ro"
    with (
        translate_sqlite_errors(places.database),
        closing(sqlite3.connect(address, uri=True)) as connection,
    ):
        found = connection.execute("SELECT id FROM tracks WHERE bundle = ?", (bundle.name,))
        row = found.fetchone()
    return None if row is None else int(row[0])
