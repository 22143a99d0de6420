"""Whose a bundle is: asked of the library's file from outside, which is only read.

For programs that make bundles by themselves, beside whoever has the library open.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sfa_engine.library.fault import blamed
from sfa_engine.library.places import Places


def owner_of(places: Places, bundle: Path) -> int | None:
    """Return the number of the track that a bundle belongs to, removed or not.

    Parameters
    ----------
    places : Places
        Of the library.
    bundle : Path
        A folder, which need not be there: a removed track comes back to its own.

    Returns
    -------
    int or None
        None if it is no track's, or there is no library.

    Raises
    ------
    LibraryError
        The library cannot be read.
    """
    if not places.has(bundle) or not places.database.exists():
        return None
    address = f"file:{quote(str(places.database.absolute()))}?mode=ro"
    with blamed(places.database), closing(sqlite3.connect(address, uri=True)) as connection:
        found = connection.execute("SELECT id FROM tracks WHERE bundle = ?", (bundle.name,))
        row = found.fetchone()
    return None if row is None else int(row[0])
