"""``library.*``: tracks, their grids and cues, playlists, and maintenance."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from sfa_engine.backstage.access import (
    CHANGE,
    PERFORM,
    By,
    check_number,
    check_track,
    find,
    visible,
)
from sfa_engine.backstage.audit import part
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.verbs.load_import import plan_import
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.backstage.verbs.removal import remove_track
from sfa_engine.backstage.verbs.track_values import track_values
from sfa_engine.desk.deck import HOT_CUES, MAX_LENGTH_S
from sfa_engine.errors import Absent, MediaError, Refused, SfaError
from sfa_engine.library import (
    analysis,
    check,
    cues,
    grids,
    manifest,
    ownership,
    playlists,
    plays,
    search,
    sound_tags,
    tracks,
    trash,
)
from sfa_engine.library.bundle import notes
from sfa_engine.library.content import bundle_cover, content_hash, sound_identity
from sfa_engine.library.cues import Cue
from sfa_engine.library.database import Connection
from sfa_engine.library.grids import TrackGrid
from sfa_engine.library.ownership import MACHINE, OTHER, View
from sfa_engine.library.query import age_of
from sfa_engine.library.track import Track
from sfa_engine.system.aio import within_time
from sfa_engine.track.grid import TEMPOS, Anchor, Grid
from sfa_engine.track.media import MAX_CUES, RATES, check_drifts, read_bundle
from sfa_engine.wire.frames import sayable
from sfa_engine.wire.rights import SYSTEM, Actor, may
from sfa_engine.wire.verbs import Count, Text, Texts, verb

logger = logging.getLogger(__name__)
MAX_FOUND = 1000
MAX_ALTERNATIVES = 20  # to a grid: an analysis offers five at most
FIND_S = 60.0  # for the reading of a file that is asked for
MAX_DECKS = 16
MAX_TIME_S = 1e11  # since 1970
TrackWord = Annotated[int | Text, Meta(description="the number of a track, or words")]
Found = Annotated[int, Meta(ge=1, le=MAX_FOUND)]
Seconds = Annotated[float, Meta(ge=0, le=MAX_LENGTH_S)]
Values = Annotated[
    dict[str, str | int | float | bool | None], Meta(description='a map as {"title": "…"}')
]
Hotcues = Annotated[
    dict[
        str,
        Annotated[float, Meta(ge=-60, le=MAX_LENGTH_S)]
        | dict[str, str | int | float | bool | None]
        | None,
    ],
    Meta(description='a map as {"1": {"position_s": 12.5, "label": "drop"}, "2": null}'),
]
Anchors = Annotated[
    list[tuple[float, float]],
    Meta(min_length=1, max_length=100_000, description="a list of frames and beats"),
]
Change = Callable[[Connection, int], Awaitable[Any]]
Correct = Callable[[Connection, int], Awaitable[TrackGrid]]


class LibraryVerbs:
    """The verbs on the library.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    """

    def __init__(self, context: PrepContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._dispatcher = dispatcher

    # ------------------------------------------------------------------ looking

    @verb(scope="read", owned=True)
    async def library_search(
        self,
        words: Text = "",
        limit: Found = 100,
        offset: Count = 0,
        view: View = "combined",
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return a page of a query's tracks, best match first, and their number."""
        within = visible(actor, view)
        async with self._context.database.reading() as connection:
            found = await search.search(
                connection, words, limit=limit, offset=offset, within=within
            )
            count = await search.count(connection, words, within)
        return {"count": count, "tracks": fit_in_frame(self._to_dict(t, actor) for t in found)}

    @verb(scope="read", slow=True, restricted={"path": "library", "prepare": "prepare"}, owned=True)
    async def library_find(
        self, words: Text = "", path: Text = "", prepare: bool = False, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return one track, with the folder of its bundle.

        It is named by words, or by the path of a file that it was imported from. With `prepare` a
        track that cannot be played is queued first: the answer is the number of the job, as
        ``preparing``, and its name.
        """
        if bool(words) is bool(path):
            raise Refused("one of words and path is needed", "name a track, or a file")
        if words:
            async with self._context.database.reading() as connection:
                track: Track | None = await find(connection, actor, words)
        else:
            track = await self._of_file(Path(path))
        if track is not None and (not prepare or await self._is_playable(track)):
            if track.bundle is None:
                raise Refused(f'"{track.name}" is not here yet', "see `sfa jobs`")
            return self._to_dict(track, actor)
        if track is None and not prepare:
            raise Refused(f'"{sayable(path)}" is not in the library', "prepare it with `sfa prep`")
        return await self._prepare(track, path, actor)

    async def _of_file(self, file: Path) -> Track | None:
        """Return the track of a file, or of one with the same content."""
        try:
            async with asyncio.timeout(FIND_S):
                return await self._at_place(file) or await self._of_content(file)
        except TimeoutError:
            raise Refused(
                f'"{sayable(str(file))}" was not read in {FIND_S:g} s',
                "look at its disk or its network",
            ) from None

    async def _at_place(self, file: Path) -> Track | None:
        """Return the track of a path, unless the file was written since."""
        real, changed_s = await within_time(FIND_S, _look_at, file)
        for place in dict.fromkeys((str(file), str(real))):
            async with self._context.database.reading() as connection:
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
        """Return the track of a file's content, whatever its path."""
        if await within_time(FIND_S, file.is_dir):
            return None
        for identify in (sound_identity, content_hash):  # the second in libraries of before
            identity = await within_time(FIND_S, identify, file)
            async with self._context.database.reading() as connection:
                if found := await tracks.with_content(connection, identity):
                    return found
        return None

    async def _is_playable(self, track: Track) -> bool:
        if track.bundle is None or track.duration_s is None:
            return False
        return not await asyncio.to_thread(self._damage, track)

    async def _prepare(self, track: Track | None, place: str, actor: Actor) -> dict[str, Any]:
        """Queue the import of a track or a file before all others."""
        source = place or (track.source_path or track.source if track else "")
        name = track.name if track else Path(place).name
        plan = await asyncio.to_thread(plan_import, source, name)
        # Of an owned track a performer's load makes no track of the machine's.
        account = int(track.account or MACHINE) if track else actor.account
        batch = uuid.uuid4().hex[:12]
        async with self._context.database.transaction() as connection:
            (job,) = await self._context.queue.add_chain(connection, [plan], batch, account=account)
        self._dispatcher.wake()
        return {"preparing": job, "name": sayable(name), "track": track.id if track else None}

    @verb(scope="read", owned=True)
    async def library_show(self, track: TrackWord, actor: By = SYSTEM) -> dict[str, Any]:
        """Return everything about a track but its features."""
        async with self._context.database.reading() as connection:
            found = await find(connection, actor, track)
            answer = self._to_dict(found, actor)
            grid = await grids.grid_of(connection, found.id)
            made = await analysis.analysis_of(connection, found.id)
            answer["grid"] = _grid_to_dict(grid) if grid else None
            answer["cues"] = [asdict(cue) for cue in await cues.cues_of(connection, found.id)]
            answer["origins"] = [asdict(s) for s in await analysis.stems_of(connection, found.id)]
            answer["sound_tags"] = [
                {"name": name, "probability": probability}
                for name, probability in await sound_tags.tags_of(connection, found.id)
            ]
            answer["sources"] = []
            if may(actor, CHANGE, OTHER):
                answer["sources"] = await tracks.sources(connection, found.id)
            if made:
                answer |= {
                    "confidence": made.confidence,
                    "confidences": made.confidences,
                    "alternatives": [asdict(each) for each in made.alternatives],
                    "variable": made.variable,
                    "peak_dbtp": made.peak_dbtp,
                    "sections": [asdict(section) for section in made.sections],
                }
        answer["damage"] = await asyncio.to_thread(self._damage, found)
        answer |= await asyncio.to_thread(_of_manifest, answer["bundle"])
        cover = await asyncio.to_thread(self._cover, found)
        answer["cover_path"] = cover["path"] if cover else None
        return answer

    @verb(scope="read", owned=True)
    async def library_cover(self, track: TrackWord, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the path of a track's cover, its kind (jpg, png, gif, webp) and its size."""
        async with self._context.database.reading() as connection:
            found = await find(connection, actor, track)
        cover = await asyncio.to_thread(self._cover, found)
        if cover is None:
            raise Refused(f'"{found.name}" has no cover', "import a file that has one")
        return cover

    # ------------------------------------------------------------------ changing

    @verb(scope="library", owned=True)
    async def library_edit(
        self, track: TrackWord, values: Values, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Edit a track's title, artist, album, genre, year, key, rating, comment or color."""

        async def change(connection: Connection, number: int) -> Track:
            return await tracks.edit(connection, number, **values)

        return self._to_dict(await self._changed(track, change, actor), actor)

    @verb(scope="library", owned=True)
    async def library_grid(
        self,
        track: TrackWord,
        shift: Annotated[float, Meta(ge=-4, le=4)] | None = None,
        downbeat_s: Seconds | None = None,
        bpm: Annotated[float, Meta(ge=20, le=400)] | None = None,
        tempo: Literal["halve", "double"] | None = None,
        automatic: bool = False,
        take: Annotated[int, Meta(ge=1, le=MAX_ALTERNATIVES)] | None = None,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Correct a grid by hand: one of shift (beats), downbeat_s, bpm, tempo (halve, double).

        `take` is the number of an alternative that ``library.show`` lists, from 1; `automatic`
        restores the analysed grid.
        """
        asked: dict[str, Correct] = {}
        if shift is not None:
            asked["shift"] = lambda c, n: grids.shift(c, n, shift)
        if downbeat_s is not None:
            asked["downbeat_s"] = lambda c, n: grids.set_downbeat(c, n, downbeat_s)
        if bpm is not None:
            asked["bpm"] = lambda c, n: grids.set_bpm(c, n, bpm)
        if tempo is not None:
            asked["tempo"] = grids.halve if tempo == "halve" else grids.double
        if automatic:
            asked["automatic"] = _automatic
        if take is not None:
            asked["take"] = lambda c, n: _take(c, n, take)
        if len(asked) != 1:
            raise Refused(
                f"{len(asked)} corrections are asked for",
                "give one of shift, downbeat_s, bpm, tempo, take and automatic",
            )
        (correct,) = asked.values()
        return _grid_to_dict(await self._changed(track, correct, actor))

    @verb(scope="library", owned=True)
    async def library_set_grid(
        self,
        track: TrackWord,
        rate: Annotated[int, Meta(ge=RATES[0], le=RATES[1])],
        anchors: Anchors,
        bpm: Annotated[float, Meta(ge=TEMPOS[0], le=TEMPOS[1])],
        beats_per_bar: Annotated[int, Meta(ge=1, le=32)] = 4,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Store a whole grid by hand, as ``library.show`` returned it: to undo a correction."""
        grid = _grid_of(anchors, rate, bpm, beats_per_bar)

        async def change(connection: Connection, number: int) -> TrackGrid:
            saved = await grids.save(connection, number, grid, rate)
            assert saved is not None
            return saved

        return _grid_to_dict(await self._changed(track, change, actor))

    @verb(scope="library", owned=True)
    async def library_cue(
        self,
        track: TrackWord,
        position_s: float,
        hot_cue: int | None = None,
        kind: Text = "cue",
        label: Text = "",
        end_s: float | None = None,
        color: Text = "",
        stem: Text | None = None,
        on_load: bool = False,
        free: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Set a cue, or a loop with an end, by hand.

        With `free` a hot cue by hand that has the number stays: the request is refused.
        """

        async def change(connection: Connection, number: int) -> Cue:
            cue = Cue(position_s, kind, end_s, hot_cue, label, color, stem, on_load)
            there = await cues.cues_of(connection, number)
            if free and any(each.by_hand and each.slot == hot_cue for each in there if each.slot):
                raise Refused(f"hot cue {hot_cue} is set by hand", "give another number")
            if len(there) >= MAX_CUES:
                most = f"{MAX_CUES} are the most that a bundle has"
                raise Refused("the track has too many cues", most)
            return await cues.add(connection, number, cue)

        return asdict(await self._changed(track, change, actor))

    @verb(scope="library", owned=True)
    async def library_edit_cue(
        self, cue: Count, values: Values, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Change a cue, which is by hand then: position_s, end_s, kind, slot, label, color, stem.

        ``slot`` is the number of its hot cue, null for a memory cue; another cue that has the
        number keeps its place without one.
        """
        async with self._context.database.transaction() as connection:
            track = await cues.track_of_cue(connection, cue, visible(actor))
            await check_number(connection, actor, CHANGE, track)
            edited = await cues.edit(connection, cue, **values)
        await self._update_manifest(track)
        return asdict(edited)

    @verb(scope="read", owned=True)
    async def library_hotcues(self, bundle: Text, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the cues, the sections and the cue point of a bundle, in seconds, for a deck.

        ``loudness_lufs`` is what a deck plays it at, null where it was not analysed.
        """
        async with self._context.database.reading() as connection:
            track = await self._known(connection, Path(bundle))
            await _check_seen(connection, actor, track, Path(bundle))
            there = await cues.cues_of(connection, track.id)
            made = await analysis.analysis_of(connection, track.id)
        starts = [cue.position_s for cue in there if cue.kind == "intro"]
        return {
            "track": track.id,
            "cues": [asdict(cue) for cue in there],
            "sections": [asdict(section) for section in made.sections] if made else [],
            "cue_point": min(starts, default=None),
            "loudness_lufs": manifest.played_lufs(made),
        }

    @verb(scope="library", owned=True)
    async def library_delete_cue(self, cue: Count, actor: By = SYSTEM) -> dict[str, Any]:
        """Delete a cue."""
        async with self._context.database.transaction() as connection:
            track = await cues.track_of_cue(connection, cue, visible(actor))
            await check_number(connection, actor, CHANGE, track)
            await cues.remove(connection, cue)
        await self._update_manifest(track)
        return {"track": track}

    @verb(scope="perform", owned=True)
    async def library_save_hotcues(
        self, bundle: Text, hotcues: Hotcues, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Save hot cues by number: what changed of each, its new position, or None for cleared.

        What may change is ``position_s``, ``end_s``, ``kind``, ``on_load``, ``label`` and
        ``color``; with ``is_new`` nothing is kept of the hot cue that had the number. A bundle that
        the library does not know is imported.
        """
        folder = Path(bundle)
        changes = _by_number(hotcues)
        async with self._context.database.transaction() as connection:
            track = await self._of_bundle(connection, folder, actor)
            for slot, changed in changes.items():
                await cues.save_hot_cue(connection, track, slot, changed)
        await self._update_manifest(track.id)
        return {"track": track.id}

    @verb(scope="perform", owned=True)
    async def library_save_memory_cue(
        self,
        bundle: Text,
        position_s: Seconds,
        end_s: Seconds | None = None,
        label: Text = "",
        color: Text = "",
        delete: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Save a cue without a hot cue's number, a loop with an end; or delete those there."""
        kind = "cue" if end_s is None else "loop"
        cue = Cue(position_s, kind, end_s, label=label, color=color)
        async with self._context.database.transaction() as connection:
            track = await self._of_bundle(connection, Path(bundle), actor)
            await cues.save_memory_cue(connection, track, cue, delete=delete)
        await self._update_manifest(track.id)
        return {"track": track.id}

    @verb(scope="perform", owned=True)
    async def library_save_grid(
        self,
        bundle: Text,
        rate: Annotated[int, Meta(ge=RATES[0], le=RATES[1])],
        anchors: Anchors | None = None,
        bpm: Annotated[float, Meta(ge=TEMPOS[0], le=TEMPOS[1])] = 120.0,
        beats_per_bar: Annotated[int, Meta(ge=1, le=32)] = 4,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Save a grid that was corrected on a deck, as made by hand; without anchors, delete it.

        An anchor is a frame at `rate` and the number of its beat. The analysed grid is in force
        again where the one by hand is deleted.
        """
        grid = _grid_of(anchors, rate, bpm, beats_per_bar) if anchors else None
        async with self._context.database.transaction() as connection:
            track = await self._of_bundle(connection, Path(bundle), actor)
            saved = await grids.save(connection, track.id, grid, rate)
        await self._update_manifest(track.id)
        return {"track": track.id, "grid": _grid_to_dict(saved) if saved else None}

    @verb(scope="perform", owned=True)
    async def library_played(
        self,
        bundle: Text,
        play: uuid.UUID,
        deck: Annotated[int, Meta(ge=1, le=MAX_DECKS)],
        played_at: Annotated[float, Meta(ge=0, le=MAX_TIME_S)],
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Record a play of a bundle on a deck; a uuid counts once."""
        async with self._context.database.transaction() as connection:
            track = await self._of_bundle(connection, Path(bundle), actor)
            is_new = await plays.record(connection, track, str(play), deck, played_at)
        return {"track": track.id, "is_new": is_new}

    @verb(scope="read", owned=True)
    async def library_history(
        self,
        track: TrackWord = "",
        since: Text = "",
        limit: Found = 100,
        offset: Count = 0,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return plays, latest first: of one track, since an age such as `7d`."""
        begin_s = time.time() - age_of(since) if since else 0.0
        within = visible(actor)
        async with self._context.database.reading() as connection:
            named = None
            if track != "":
                named = (await find(connection, actor, track)).id
            found = await plays.history(connection, named, begin_s, limit, offset, within)
            count = await plays.count(connection, named, begin_s, within)
        return {
            "count": count,
            "plays": fit_in_frame({**asdict(each), "name": each.name} for each in found),
        }

    async def _of_bundle(self, connection: Connection, folder: Path, actor: Actor) -> Track:
        """Return the track of a bundle, to be changed by a deck.

        One of the library's folder without a row gets one.
        """
        inside = await asyncio.to_thread(self._context.places.has, folder)
        track = await tracks.by_bundle(connection, folder.name) if inside else None
        if track is None and inside:
            track = await manifest.import_bundle(
                connection, read_bundle(folder), self._context.places.covers
            )
        if track is None:
            raise _unknown(folder)
        await _check_seen(connection, actor, track, folder)
        await check_track(connection, actor, PERFORM, track)
        return track

    async def _known(self, connection: Connection, folder: Path) -> Track:
        """Return the track of a bundle that has a row."""
        inside = await asyncio.to_thread(self._context.places.has, folder)
        track = await tracks.by_bundle(connection, folder.name) if inside else None
        if track is None:
            raise _unknown(folder)
        return track

    async def _changed(self, track: int | str, change: Change, actor: Actor) -> Any:
        """Change a track in a durable transaction, and update its manifest."""
        async with self._context.database.transaction() as connection:
            found = await find(connection, actor, track)
            await check_track(connection, actor, CHANGE, found)
            changed = await change(connection, found.id)
        await self._update_manifest(found.id)
        return changed

    async def _update_manifest(self, track: int) -> None:
        """Update a manifest after a commit; `library.check` finds one that could not be written.

        The request has succeeded: an error would make the client repeat it.
        """
        try:
            await self._context.update_manifest(track)
        except SfaError as error:
            logger.warning("track %s: %s", track, error)

    # ------------------------------------------------------------------ playlists

    @verb(scope="read", owned=True)
    async def library_playlists(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return all playlists."""
        async with self._context.database.reading() as connection:
            found = await playlists.playlists(connection, visible(actor))
        return {"playlists": [asdict(each) for each in found]}

    @verb(scope="read", owned=True)
    async def library_playlist(
        self, name: Text, offset: Count = 0, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return a page of a playlist, from an index from 0 on."""
        within = visible(actor)
        async with self._context.database.reading() as connection:
            found = await playlists.find(connection, name, within)
            inside = await playlists.entries(connection, found.id, MAX_FOUND, offset, within)
        answer = ({"entry": each.id, **self._to_dict(each.track, actor)} for each in inside)
        return {**asdict(found), "entries": fit_in_frame(answer)}

    @verb(scope="library")
    async def library_playlist_add(
        self,
        name: Text,
        tracks: Texts = [],  # noqa: B006 - never changed
    ) -> dict[str, Any]:
        """Append tracks to a playlist, which is created if missing."""
        async with self._context.database.transaction() as connection:
            there = {
                each.name.casefold(): each.id for each in await playlists.playlists(connection)
            }
            number = there.get(name.casefold())
            if number is None:
                number = await playlists.create(connection, name)
            numbers = [(await search.find_one(connection, word)).id for word in tracks]
            entries = await playlists.append(connection, number, numbers)
        return {"playlist": number, "entries": entries}

    @verb(scope="library")
    async def library_playlist_move(self, entry: Count, to: Count) -> dict[str, Any]:
        """Move an entry of a playlist to an index from 0."""
        async with self._context.database.transaction() as connection:
            await playlists.move(connection, entry, to)
        return {}

    @verb(scope="library")
    async def library_playlist_take(self, entry: Count) -> dict[str, Any]:
        """Remove an entry from its playlist."""
        async with self._context.database.transaction() as connection:
            await playlists.take_out(connection, entry)
        return {}

    @verb(scope="library")
    async def library_playlist_rename(self, name: Text, to: Text) -> dict[str, Any]:
        """Rename a playlist."""
        async with self._context.database.transaction() as connection:
            found = await playlists.find(connection, name)
            await playlists.rename(connection, found.id, to)
        return {"playlist": found.id}

    @verb(scope="library")
    async def library_playlist_drop(self, name: Text) -> dict[str, Any]:
        """Delete a playlist; its tracks stay."""
        async with self._context.database.transaction() as connection:
            found = await playlists.find(connection, name)
            await playlists.drop(connection, found.id)
        return {}

    # ------------------------------------------------------------------ keeping

    @verb(scope="library", owned=True)
    async def library_remove(
        self, track: TrackWord, force: bool = False, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Remove a track, to be restored until clean-up; ``force`` overrules ``session.lock``.

        An account leaves a track that others have, and nothing else is changed: ``left`` is true.
        """
        self._context.session.check("removing a track", force=force)
        async with self._context.database.transaction() as connection:
            found = await find(connection, actor, track)
            if await ownership.leave(connection, found, actor.account):
                return {**self._to_dict(found, actor), "left": True}
            await check_track(connection, actor, CHANGE, found)
        gone = await remove_track(self._context, self._dispatcher, found.id)
        return {**self._to_dict(gone, actor), "left": False}

    @verb(scope="library", owned=True)
    async def library_restore(self, track: Count, actor: By = SYSTEM) -> dict[str, Any]:
        """Restore a removed track, by its number."""
        async with self._context.database.reading() as connection:
            await check_number(connection, actor, CHANGE, track)
        back = await trash.restore(self._context.database, self._context.places, track)
        self._context.tell_track(track, back.bundle or "")
        return self._to_dict(back, actor)

    @verb(scope="read", owned=True)
    async def library_trash(self, offset: Count = 0, actor: By = SYSTEM) -> dict[str, Any]:
        """Return a page of the trash, and the number of tracks in it."""
        within = visible(actor)
        async with self._context.database.reading() as connection:
            count = await trash.count(connection, within)
            found = await trash.removed(connection, MAX_FOUND, offset, within)
        return {"count": count, "tracks": fit_in_frame(self._to_dict(t, actor) for t in found)}

    @verb(scope="admin", slow=True)
    async def library_empty_trash(self, force: bool = False) -> dict[str, Any]:
        """Delete everything in the trash; ``force`` overrules ``session.lock``."""
        self._context.session.check("emptying the trash", force=force)
        gone = await trash.clean_up(
            self._context.database, self._context.places, kept_days=0.0, around=part
        )
        return {"count": len(gone)}

    @verb(scope="admin", slow=True)
    async def library_check(
        self, repair: bool = False, deep: bool = False, after: Text = ""
    ) -> dict[str, Any]:
        """Compare rows and files, a page at a time; with `repair` fix what can be fixed.

        The next page starts `after` the one that the answer names, until that is empty.
        """
        page = await check.check_page(
            self._context.database,
            self._context.places,
            after,
            deep=deep,
            repair=repair,
        )
        answer = [
            {
                **asdict(finding),
                "message": sayable(finding.message),
                "path": sayable(str(finding.path)) if finding.path else None,
            }
            for finding in page.findings
        ]
        return {"findings": answer, "share": page.share, "after": page.after}

    @verb(scope="admin", slow=True)
    async def library_backup(self) -> dict[str, Any]:
        """Write and verify a backup of the database."""
        made = await self._context.database.back_up(self._context.places.backups)
        return {"path": str(made)}

    def _cover(self, track: Track) -> dict[str, Any] | None:
        """Return path, kind and size of a track's cover: its bundle's, else the library's."""
        there = bundle_cover(self._context.places.bundles / track.bundle) if track.bundle else None
        path = there[0] if there else self._context.places.covers / (track.cover or "-")
        if not path.is_file():
            return None
        kind = path.suffix.removeprefix(".")
        return {"path": sayable(str(path)), "kind": kind, "bytes": path.stat().st_size}

    def _damage(self, track: Track) -> str:
        """Return why a track's bundle cannot be read; empty if it can, or is being imported."""
        if track.bundle is None or track.duration_s is None or track.deleted_at is not None:
            return ""
        try:
            read_bundle(self._context.places.bundles / track.bundle)
        except MediaError as error:
            return error.message
        return ""

    def _to_dict(self, track: Track, actor: Actor) -> dict[str, Any]:
        return track_values(self._context, track, actor)


async def _check_seen(connection: Connection, actor: Actor, track: Track, folder: Path) -> None:
    """Refuse a bundle that an actor does not see, as one that is not there."""
    if not await tracks.listed(connection, [track.id], visible(actor)):
        raise _unknown(folder)


def _unknown(folder: Path) -> Refused:
    return Absent(f'"{folder}" is not in the library', "prepare its file with `sfa prep`")


async def _automatic(connection: Connection, number: int) -> TrackGrid:
    """Delete the grid by hand."""
    found = await grids.drop_hand_grid(connection, number)
    if found is None:
        raise Refused("no grid was found by analysis", "give a tempo and a downbeat")
    return found


async def _take(connection: Connection, number: int, alternative: int) -> TrackGrid:
    """Apply an alternative of the analysis, by its number, to the analysed grid."""
    made = await analysis.analysis_of(connection, number)
    if made is None:
        raise Refused("the track was not analysed", "analyse it first")
    return await grids.take(connection, number, made.alternative(alternative).change)


def _of_manifest(bundle: str | None) -> dict[str, Any]:
    """Return the notes on a track's import, and the part of it that a preview separated."""
    nothing: dict[str, Any] = {"notes": [], "preview_s": None}
    try:
        track = read_bundle(bundle).track if bundle else None
    except MediaError:
        return nothing
    if track is None:
        return nothing
    span = track.separation.preview if track.separation else None
    preview_s = None if span is None else [frame / track.rate for frame in span]
    return {"notes": notes(track), "preview_s": preview_s}


def _by_number(hotcues: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the changes of hot cues by number, checked; a position alone is a new one."""
    for name in hotcues:
        if name not in {str(number) for number in range(1, HOT_CUES + 1)}:
            raise Refused(f"hot cue {name!r:.20}", f"they go from 1 to {HOT_CUES}")
    return {
        int(name): changed if isinstance(changed, dict) else {"position_s": changed, "is_new": True}
        for name, changed in hotcues.items()
    }


def _grid_of(
    anchors: Sequence[tuple[float, float]], rate: int, bpm: float, beats_per_bar: int
) -> Grid:
    """Return a grid of a request; an invalid one is refused."""
    try:
        made = tuple(Anchor(frame, beat) for frame, beat in anchors)
        grid = Grid(made, bpm, beats_per_bar)
        check_drifts(grid, rate)
    except MediaError as problem:
        raise Refused(problem.message, problem.hint) from problem
    return grid


def _grid_to_dict(grid: TrackGrid) -> dict[str, Any]:
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
    """Return a file's resolved path and modification time; None for a folder or a missing file."""
    try:
        about = file.stat()
        changed_s = max(about.st_mtime, about.st_ctime) if file.is_file() else None
    except OSError:
        changed_s = None
    return file.resolve(), changed_s
