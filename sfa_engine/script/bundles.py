"""Find the bundles that a script loads: folders beside it, or tracks of the library.

The library is only read, with or without a running backstage.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from sfa_engine.errors import Refused
from sfa_engine.library.database import read_only
from sfa_engine.library.places import Places
from sfa_engine.library.search import find_one
from sfa_engine.script.script import Event, Script
from sfa_engine.track.kit import MANIFEST

SUFFIX = ".sfa"
KITS = "kits"  # folder in the data folder


def with_bundles(script: Script, places: Places) -> Script:
    """Return a script whose loads all name the folder of a bundle or a kit.

    Parameters
    ----------
    script : Script
    places : Places
        Of the library.

    Raises
    ------
    Refused
        Words match no track, several, or one that is not prepared.
    LibraryError
        Words are used without a library.
    """
    kits = (_kit_of(event, places) if event.verb == "kit" else event for event in script.events)
    script = replace(script, events=tuple(kits))
    words = {e.words for e in script.events if e.verb == "load" and not _is_path(e)}
    if not words:
        return script
    found = asyncio.run(_find(words, places))
    events = (
        replace(event, path=str(found[event.words])) if event.words in found else event
        for event in script.events
    )
    return replace(script, events=tuple(events))


def _kit_of(event: Event, places: Places) -> Event:
    """Return the load of a kit with its folder: beside the script, or one that was saved."""
    if (Path(event.path) / MANIFEST).exists():
        return event
    return replace(event, path=str(places.folder / KITS / event.words))


def _is_path(event: Event) -> bool:
    return event.words.endswith(SUFFIX) or Path(event.path).exists()


async def _find(words: set[str], places: Places) -> dict[str, Path]:
    """Return the bundles that words match."""
    found = {}
    async with read_only(places.database) as connection:
        for each in words:
            track = await find_one(connection, each)
            if track.bundle is None or track.duration_s is None:
                raise Refused(f'"{track.name}" is not prepared yet', "see `sfa jobs`")
            found[each] = places.bundles / track.bundle
    return found
