"""Which track of the library a record of another program is.

::

    path ─► mapped ─► file here, however it is spelled ─► a track of that place
                  └─► artist, title, length, size ──────► the sound of the file, if it is here
                                                     └──► else a track that fits alone

Blocking parts are functions; the database is read before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sfa_engine.errors import SfaError
from sfa_engine.interchange.paths import Finder, Mapping, folded, mapped
from sfa_engine.interchange.record import Record
from sfa_engine.library.content import sound_identity, together
from sfa_engine.library.database import Connection, Row, rows

SAME_LENGTH_S = 2.0  # programs round, and some count an encoder's padding
MAX_TAG_BYTES = 32 << 20  # of a file beside its sound: tags and covers


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record's file is: the path to remember, and the file if it is here."""

    location: str
    file: str | None


@dataclass(frozen=True, slots=True)
class _Known:
    """A track that a record may be."""

    id: int
    duration_s: float | None
    content_hash: str | None


@dataclass
class Library:
    """What the library has, to be compared; made by `of`."""

    places: dict[str, int] = field(default_factory=dict)
    spellings: dict[str, int] = field(default_factory=dict)
    names: dict[tuple[str, str], list[_Known]] = field(default_factory=dict)

    @classmethod
    async def read(cls, connection: Connection) -> tuple[list[Row], list[Row]]:
        """Return the rows that `of` needs: places and names of all tracks that are not removed."""
        places = await rows(
            connection,
            "SELECT location, track_id FROM sources JOIN tracks ON tracks.id = track_id"
            " WHERE deleted_at IS NULL ORDER BY track_id",
        )
        names = await rows(
            connection,
            "SELECT id, artist, title, duration_s, content_hash FROM tracks"
            " WHERE deleted_at IS NULL AND title <> '' ORDER BY id",
        )
        return places, names

    @classmethod
    def of(cls, places: list[Row], names: list[Row]) -> Library:
        """Return what some rows say. Blocks: a large library takes a second."""
        made = cls()
        for each in places:
            made.places[each["location"]] = each["track_id"]
            made.spellings[folded(each["location"])] = each["track_id"]
        for each in names:
            known = _Known(each["id"], each["duration_s"], each["content_hash"])
            key = (folded(each["artist"]), folded(each["title"]))
            made.names.setdefault(key, []).append(known)
        return made

    def match(self, record: Record, place: Place, identify: Callable[[str], str]) -> int | None:
        """Return the track of a record, or None. Blocks where a file has to be read."""
        for location in filter(None, (place.file, place.location)):
            if location in self.places:
                return self.places[location]
        for location in filter(None, (place.file, place.location)):
            if folded(location) in self.spellings:
                return self.spellings[folded(location)]
        if not record.title:
            return None
        key = (folded(record.artist), folded(record.title))
        alike = [each for each in self.names.get(key, ()) if _fits(each, record)]
        if place.file is not None:
            return _of_content(alike, place.file, identify)
        return alike[0].id if len(alike) == 1 else None


def _fits(known: _Known, record: Record) -> bool:
    """Return whether a track's length and size are those of a record, as far as they are known."""
    lengths = (known.duration_s, record.duration_s)
    if None not in lengths and abs(lengths[0] - lengths[1]) > SAME_LENGTH_S:  # type: ignore[operator]
        return False
    kind, _, rest = (known.content_hash or "").partition(":")
    size = rest.partition(":")[0]
    if kind != "sound" or not size.isdecimal() or not record.size_bytes:
        return True
    return 0 <= record.size_bytes - int(size) <= MAX_TAG_BYTES


def _of_content(alike: list[_Known], file: str, identify: Callable[[str], str]) -> int | None:
    """Return the track of the sound of a file, of those of its name."""
    if not any(each.content_hash for each in alike):
        return None
    try:
        identity = identify(file)
    except (SfaError, OSError):
        return None
    return next((each.id for each in alike if each.content_hash == identity), None)


def identity_of(file: str) -> str:
    """Return the identity of a file's sound. Blocks."""
    return together([sound_identity(file)])


def places_of(
    records: Iterable[Record], mappings: Sequence[Mapping], finder: Finder
) -> list[Place]:
    """Return where the files of records are. Blocks."""
    known = list(mappings)
    found = []
    for record in records:
        location = mapped(record.location, known)
        file = finder.found(location)
        found.append(Place(file or location, file))
    return found
