"""``library.*``: tracks, their grids and cues, playlists, and the library's own health."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sfa_engine.audio.media import MOST_CUES, read_bundle
from sfa_engine.backstage.foreman import Foreman
from sfa_engine.backstage.verbs import given
from sfa_engine.backstage.verbs.answer import fitting
from sfa_engine.backstage.verbs.reimport import plan_for
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.desk.deck import LONGEST_S
from sfa_engine.errors import MediaError, Refused, SfaError, did_you_mean
from sfa_engine.finished import within_time
from sfa_engine.library import (
    analysis,
    check,
    cues,
    description,
    grids,
    playlists,
    plays,
    search,
    statistics,
    tracks,
    trash,
)
from sfa_engine.library.bundle import notes
from sfa_engine.library.content import content_hash, sound_identity
from sfa_engine.library.cues import Cue
from sfa_engine.library.database import Connection
from sfa_engine.library.grids import TrackGrid
from sfa_engine.library.query import age_of
from sfa_engine.library.track import Track
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)
MOST_FOUND = 1000
FIND_S = 60.0  # for the reading of a file that is asked for
HOTCUES = range(1, 9)
SHIFTS = (-4.0, 4.0)  # beats
MOST_DECKS = 16
LATEST_S = 1e11  # seconds since 1970
Change = Callable[[Connection, int], Awaitable[Any]]
Correct = Callable[[Connection, int], Awaitable[TrackGrid]]


class LibraryVerbs:
    """The verbs on the library.

    Parameters
    ----------
    shop : Workshop
    foreman : Foreman
    """

    def __init__(self, shop: Workshop, foreman: Foreman) -> None:
        self._shop = shop
        self._foreman = foreman

    # ------------------------------------------------------------------ looking

    async def library_search(
        self, words: Any = "", limit: Any = 100, offset: Any = 0
    ) -> dict[str, Any]:
        """Return the tracks that a query finds, the best first, and how many there are."""
        query = given.text("words", words)
        first = given.whole("offset", offset)
        most = given.whole("limit", limit, 1, MOST_FOUND)
        async with self._shop.database.reading() as connection:
            found = await search.search(connection, query, limit=most, offset=first)
            count = await search.count(connection, query)
        return {"count": count, "tracks": fitting(map(self._told, found))}

    async def library_find(
        self, words: Any = "", path: Any = "", prepare: Any = False
    ) -> dict[str, Any]:
        """Return the one track that is meant, with the folder of its bundle.

        It is named by words, or by the path of a file that it was imported from. To `prepare` one
        that cannot be played puts it in the queue, first of all: the answer is the number of the
        job, as ``preparing``, and its name.
        """
        to_prepare = given.switch("prepare", prepare)
        asked, place = given.text("words", words), given.text("path", path)
        if bool(asked) is bool(place):
            raise Refused("one of words and path is needed", "name a track, or a file")
        if asked:
            async with self._shop.database.reading() as connection:
                track: Track | None = await search.find_one(connection, asked)
        else:
            track = await self._of_file(Path(place))
        if track is not None and (not to_prepare or await self._is_playable(track)):
            if track.bundle is None:
                raise Refused(f'"{track.name}" is not here yet', "see `sfa jobs`")
            return self._told(track)
        if track is None and not to_prepare:
            raise Refused(f'"{sayable(place)}" is not in the library', "prepare it with `sfa prep`")
        return await self._prepare(track, place)

    async def _of_file(self, file: Path) -> Track | None:
        """Return the track that was imported from a file, or from one with the same content."""
        try:
            async with asyncio.timeout(FIND_S):
                return await self._at_place(file) or await self._of_content(file)
        except TimeoutError:
            raise Refused(
                f'"{sayable(str(file))}" was not read in {FIND_S:g} s',
                "look at its disk or its network",
            ) from None

    async def _at_place(self, file: Path) -> Track | None:
        """Return the track that a place has, unless the file was written since it was seen."""
        real, changed_s = await within_time(FIND_S, _look_at, file)
        for place in dict.fromkeys((str(file), str(real))):
            async with self._shop.database.reading() as connection:
                found = await tracks.with_source(connection, place)
                if found is None:
                    continue
                seen_s = await tracks.seen_at(connection, found.id, place)
            if found.content_hash is None or changed_s is None or changed_s <= seen_s:
                return found
            identify = sound_identity if ":" in found.content_hash else content_hash
            if await within_time(FIND_S, identify, file) == found.content_hash:
                return found
        return None

    async def _of_content(self, file: Path) -> Track | None:
        """Return the track of a file's content, wherever that was found."""
        if await within_time(FIND_S, file.is_dir):
            return None
        for identify in (sound_identity, content_hash):  # the second in libraries of before
            identity = await within_time(FIND_S, identify, file)
            async with self._shop.database.reading() as connection:
                if found := await tracks.with_content(connection, identity):
                    return found
        return None

    async def _is_playable(self, track: Track) -> bool:
        if track.bundle is None or track.duration_s is None:
            return False
        return not await asyncio.to_thread(self._damage, track)

    async def _prepare(self, track: Track | None, place: str) -> dict[str, Any]:
        """Put the import of a track, or of a file, in the queue before all others."""
        source = place or (track.source_path or track.source if track else "")
        name = track.name if track else Path(place).name
        plan = await asyncio.to_thread(plan_for, source, name)
        async with self._shop.database.transaction() as connection:
            (job,) = await self._shop.queue.add_chain(connection, [plan], uuid.uuid4().hex[:12])
        self._foreman.wake()
        return {"preparing": job, "name": sayable(name), "track": track.id if track else None}

    async def library_show(self, track: Any) -> dict[str, Any]:
        """Return all that is known of a track but its features."""
        async with self._shop.database.reading() as connection:
            found = await search.find_one(connection, _named(track))
            told = self._told(found)
            grid = await grids.grid_of(connection, found.id)
            made = await analysis.analysis_of(connection, found.id)
            told["grid"] = _grid_told(grid) if grid else None
            told["cues"] = [asdict(cue) for cue in await cues.cues_of(connection, found.id)]
            told["origins"] = [asdict(s) for s in await analysis.stems_of(connection, found.id)]
            told["sources"] = await tracks.sources(connection, found.id)
            told["damage"] = await asyncio.to_thread(self._damage, found)
            if made:
                told |= {
                    "confidence": made.confidence,
                    "variable": made.variable,
                    "peak_dbtp": made.peak_dbtp,
                    "sections": [asdict(section) for section in made.sections],
                }
        told["notes"] = await asyncio.to_thread(_notes, told["bundle"])
        return told

    async def library_statistics(self) -> dict[str, Any]:
        """Return how much there is, and how much room it takes."""
        numbers = await statistics.numbers(self._shop.database)
        storage = await statistics.storage(self._shop.places)
        return {**asdict(numbers), **asdict(storage)}

    # ------------------------------------------------------------------ changing

    async def library_edit(self, track: Any, values: Any) -> dict[str, Any]:
        """State a track's title, artist, album, genre, year, key, rating, comment or color."""
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise Refused(f"values is {values!r:.60}", 'give a map as {"title": "…"}')

        async def change(connection: Connection, number: int) -> Track:
            return await tracks.edit(connection, number, **values)

        return self._told(await self._changed(track, change))

    async def library_grid(
        self,
        track: Any,
        shift: Any = None,
        downbeat_s: Any = None,
        bpm: Any = None,
        tempo: Any = None,
        automatic: Any = False,
    ) -> dict[str, Any]:
        """Correct a grid by hand: one of shift (beats), downbeat_s, bpm, tempo (halve, double)."""
        asked: dict[str, Correct] = {}
        if shift is not None:
            beats = given.number("shift", shift, *SHIFTS)
            asked["shift"] = lambda c, n: grids.shift(c, n, beats)
        if downbeat_s is not None:
            place_s = given.number("downbeat_s", downbeat_s, 0.0, LONGEST_S)
            asked["downbeat_s"] = lambda c, n: grids.set_downbeat(c, n, place_s)
        if bpm is not None:
            beats_a_minute = given.number("bpm", bpm, 20.0, 400.0)
            asked["bpm"] = lambda c, n: grids.set_bpm(c, n, beats_a_minute)
        if tempo is not None:
            ways: dict[str, Correct] = {"halve": grids.halve, "double": grids.double}
            way = given.text("tempo", tempo)
            if way not in ways:
                hint = did_you_mean(way, ways) or "say halve or double"
                raise Refused(f'tempo is "{way:.40}"', hint)
            asked["tempo"] = ways[way]
        if given.switch("automatic", automatic):
            asked["automatic"] = _automatic
        if len(asked) != 1:
            raise Refused(
                f"{len(asked)} corrections are asked for",
                "give one of shift, downbeat_s, bpm, tempo and automatic",
            )
        (correct,) = asked.values()
        return _grid_told(await self._changed(track, correct))

    async def library_cue(
        self,
        track: Any,
        position_s: Any,
        hot_cue: Any = None,
        kind: Any = "cue",
        label: Any = "",
        end_s: Any = None,
        color: Any = "",
        stem: Any = None,
    ) -> dict[str, Any]:
        """Set a cue, or a loop with an end, by hand."""

        async def change(connection: Connection, number: int) -> Cue:
            cue = Cue(position_s, kind, end_s, hot_cue, label, color, stem)
            if len(await cues.cues_of(connection, number)) >= MOST_CUES:
                most = f"{MOST_CUES} are the most that a bundle has"
                raise Refused("the track has too many cues", most)
            return await cues.add(connection, number, cue)

        return asdict(await self._changed(track, change))

    async def library_uncue(self, cue: Any) -> dict[str, Any]:
        """Forget a cue."""
        async with self._shop.database.transaction() as connection:
            track = await cues.remove(connection, given.whole("cue", cue))
        await self._follow(track)
        return {"track": track}

    async def library_keep(self, bundle: Any, hotcues: Any) -> dict[str, Any]:
        """Keep what a performer marked: hot cues by number, in seconds, or None for cleared.

        A bundle that the library does not know is taken in.
        """
        folder = Path(given.text("bundle", bundle))
        marks = _marks(hotcues)
        async with self._shop.database.transaction() as connection:
            track = await self._of_bundle(connection, folder)
            there = {cue.slot: cue for cue in await cues.cues_of(connection, track.id) if cue.slot}
            for slot, place_s in marks.items():
                on_it = there.get(slot)
                if place_s is None:
                    if on_it is not None:
                        await cues.remove(connection, on_it.id)
                elif on_it is None or abs(on_it.position_s - place_s) > 1e-4:
                    place = min(max(place_s, 0.0), track.duration_s or LONGEST_S)
                    await cues.set_hot_cue(connection, track.id, slot, place)
        await self._follow(track.id)
        return {"track": track.id}

    async def library_played(
        self, bundle: Any, play: Any, deck: Any, played_at: Any
    ) -> dict[str, Any]:
        """Count a play of a bundle that was heard on a deck; one of the same uuid counts once."""
        folder = Path(given.text("bundle", bundle))
        identity = _identity(play)
        number = given.whole("deck", deck, 1, MOST_DECKS)
        when_s = given.number("played_at", played_at, 0.0, LATEST_S)
        async with self._shop.database.transaction() as connection:
            track = await self._of_bundle(connection, folder)
            is_new = await plays.record(connection, track, identity, number, when_s)
        return {"track": track.id, "is_new": is_new}

    async def library_history(
        self, track: Any = "", since: Any = "", limit: Any = 100, offset: Any = 0
    ) -> dict[str, Any]:
        """Return what was played, the latest first: of one track, since an age as `7d`."""
        age = given.text("since", since)
        first = given.whole("offset", offset)
        most = given.whole("limit", limit, 1, MOST_FOUND)
        begin_s = time.time() - age_of(age) if age else 0.0
        async with self._shop.database.reading() as connection:
            named = (await search.find_one(connection, _named(track))).id if track != "" else None
            found = await plays.history(connection, named, begin_s, most, first)
            count = await plays.count(connection, named, begin_s)
        return {
            "count": count,
            "plays": fitting({**asdict(each), "name": each.name} for each in found),
        }

    async def _of_bundle(self, connection: Connection, folder: Path) -> Track:
        """Return the track of a bundle; a bundle among ours without a row gets one."""
        inside = await asyncio.to_thread(self._shop.places.has, folder)
        track = await tracks.by_bundle(connection, folder.name) if inside else None
        if track is None and inside:
            track = await description.adopt(connection, read_bundle(folder))
        if track is None:
            raise Refused(f'"{folder}" is not in the library', "prepare its file with `sfa prep`")
        return track

    async def _changed(self, track: Any, change: Change) -> Any:
        """Change a track in a durable transaction, and let its bundle follow."""
        async with self._shop.database.transaction() as connection:
            found = await search.find_one(connection, _named(track))
            changed = await change(connection, found.id)
        await self._follow(found.id)
        return changed

    async def _follow(self, track: int) -> None:
        """Let a bundle follow what is committed; where it cannot, `check` will find it.

        The request has had its effect: told that it failed, a person would ask for it again.
        """
        try:
            await self._shop.follow(track)
        except SfaError as error:
            logger.warning("track %s: %s", track, error)

    # ------------------------------------------------------------------ playlists

    async def library_playlists(self) -> dict[str, Any]:
        """Return all playlists."""
        async with self._shop.database.reading() as connection:
            found = await playlists.playlists(connection)
        return {"playlists": [asdict(each) for each in found]}

    async def library_playlist(self, name: Any, offset: Any = 0) -> dict[str, Any]:
        """Return what is in a playlist, as much as fits: from an entry on, counted from 0."""
        first = given.whole("offset", offset)
        async with self._shop.database.reading() as connection:
            found = await playlists.find(connection, given.text("name", name))
            inside = await playlists.entries(connection, found.id, MOST_FOUND, first)
        told = ({"entry": each.id, **self._told(each.track)} for each in inside)
        return {**asdict(found), "entries": fitting(told)}

    async def library_playlist_add(self, name: Any, tracks: Any = ()) -> dict[str, Any]:
        """Put tracks at the end of a playlist, which is made if it is not there."""
        async with self._shop.database.transaction() as connection:
            there = {
                each.name.casefold(): each.id for each in await playlists.playlists(connection)
            }
            wanted = given.text("name", name)
            number = there.get(wanted.casefold())
            if number is None:
                number = await playlists.create(connection, wanted)
            words = given.texts("tracks", tracks)
            numbers = [(await search.find_one(connection, word)).id for word in words]
            entries = await playlists.append(connection, number, numbers)
        return {"playlist": number, "entries": entries}

    async def library_playlist_move(self, entry: Any, to: Any) -> dict[str, Any]:
        """Move an entry of a playlist to a place, counted from 0."""
        async with self._shop.database.transaction() as connection:
            await playlists.move(connection, given.whole("entry", entry), given.whole("to", to))
        return {}

    async def library_playlist_take(self, entry: Any) -> dict[str, Any]:
        """Take an entry out of its playlist."""
        async with self._shop.database.transaction() as connection:
            await playlists.take_out(connection, given.whole("entry", entry))
        return {}

    async def library_playlist_drop(self, name: Any) -> dict[str, Any]:
        """Forget a playlist; its tracks stay."""
        async with self._shop.database.transaction() as connection:
            found = await playlists.find(connection, given.text("name", name))
            await playlists.drop(connection, found.id)
        return {}

    # ------------------------------------------------------------------ keeping

    async def library_remove(self, track: Any) -> dict[str, Any]:
        """Take a track out; it can be restored until clean-up."""
        async with self._shop.database.reading() as connection:
            found = await search.find_one(connection, _named(track))
        await self._foreman.leave(found.id)  # or a worker puts a bundle where it was
        return self._told(await trash.remove(self._shop.database, self._shop.places, found.id))

    async def library_restore(self, track: Any) -> dict[str, Any]:
        """Bring a removed track back, by its number."""
        number = given.whole("track", track)
        return self._told(await trash.restore(self._shop.database, self._shop.places, number))

    async def library_trash(self, offset: Any = 0) -> dict[str, Any]:
        """Return what was removed and can be restored, and how much: from one on, from 0."""
        first = given.whole("offset", offset)
        async with self._shop.database.reading() as connection:
            count = await trash.count(connection)
            found = await trash.removed(connection, MOST_FOUND, first)
        return {"count": count, "tracks": fitting(map(self._told, found))}

    async def library_empty(self) -> dict[str, Any]:
        """Do away for good with all that was removed; return how much that was."""
        gone = await trash.clean_up(self._shop.database, self._shop.places, kept_days=0.0)
        return {"count": len(gone)}

    async def library_check(
        self, mend: Any = False, deep: Any = False, after: Any = ""
    ) -> dict[str, Any]:
        """Compare rows and files both ways, a part at a time; mend what can be, if asked to.

        The next part is what comes `after` the end of this one, until that is empty.
        """
        part = await check.check_part(
            self._shop.database,
            self._shop.places,
            given.text("after", after),
            deep=given.switch("deep", deep),
            mend=given.switch("mend", mend),
        )
        told = [
            {
                **asdict(finding),
                "message": sayable(finding.message),
                "path": sayable(str(finding.path)) if finding.path else None,
            }
            for finding in part.findings
        ]
        return {"findings": told, "share": part.share, "after": part.after}

    async def library_backup(self) -> dict[str, Any]:
        """Write a backup of the database, and prove it."""
        made = await self._shop.database.back_up(self._shop.places.backups)
        return {"path": str(made)}

    def _damage(self, track: Track) -> str:
        """Return why the bundle of a track cannot be read, empty if it can or is on its way."""
        if track.bundle is None or track.duration_s is None or track.deleted_at is not None:
            return ""
        try:
            read_bundle(self._shop.places.bundles / track.bundle)
        except MediaError as error:
            return error.message
        return ""

    def _told(self, track: Track) -> dict[str, Any]:
        """Return a track as plain values, with the folder of its bundle."""
        bundle = str(self._shop.places.bundles / track.bundle) if track.bundle else None
        return {**asdict(track), "stems": list(track.stems), "name": track.name, "bundle": bundle}


async def _automatic(connection: Connection, number: int) -> TrackGrid:
    """Forget the grid by hand."""
    found = await grids.drop_hand_grid(connection, number)
    if found is None:
        raise Refused("no grid was found by analysis", "give a tempo and a downbeat")
    return found


def _notes(bundle: str | None) -> list[str]:
    """Return what befell a track's sound on its way in; nothing if its bundle cannot be read."""
    try:
        return notes(read_bundle(bundle).track) if bundle else []
    except MediaError:
        return []


def _named(track: Any) -> str:
    """Return a track, given by number or by words, as words."""
    return f"#{track}" if type(track) is int else given.text("track", track)


def _identity(play: Any) -> str:
    """Return the uuid of a play, or refuse it."""
    try:
        return str(uuid.UUID(given.text("play", play)))
    except ValueError:
        raise Refused(f"play is {play!r:.60}", "give a uuid") from None


def _marks(hotcues: Any) -> dict[int, float | None]:
    """Return hot cues by number, checked."""
    if not isinstance(hotcues, dict):
        raise Refused(f"hotcues is {hotcues!r:.60}", 'give a map as {"1": 12.5, "2": null}')
    marks: dict[int, float | None] = {}
    for name, place in hotcues.items():
        if name not in {str(slot) for slot in HOTCUES}:
            raise Refused(f"hot cue {name!r:.20}", "they go from 1 to 8")
        marks[int(name)] = (
            None if place is None else given.number(f"hot cue {name}", place, -60.0, LONGEST_S)
        )
    return marks


def _grid_told(grid: TrackGrid) -> dict[str, Any]:
    """Return a grid as plain values."""
    return {
        "rate": grid.rate,
        "by_hand": grid.by_hand,
        "bpm": grid.grid.bpm,
        "beats_per_bar": grid.grid.beats_per_bar,
        "first_downbeat_s": grid.first_downbeat_s,
        "anchors": [[anchor.frame, anchor.beat] for anchor in grid.grid.anchors],
    }


def _look_at(file: Path) -> tuple[Path, float | None]:
    """Return where a file really is, and when it was changed; None for a folder, or none there."""
    try:
        about = file.stat()
        changed_s = max(about.st_mtime, about.st_ctime) if file.is_file() else None
    except OSError:
        changed_s = None
    return file.resolve(), changed_s
