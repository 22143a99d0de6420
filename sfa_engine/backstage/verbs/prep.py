"""``prep.*``: music in."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sfa_engine.backstage.foreman import Foreman
from sfa_engine.backstage.job import Plan, State
from sfa_engine.backstage.services.links import LocalFile, LocalFolder, meaning, sound_files
from sfa_engine.backstage.steps.chain import Find, Wish, import_file, import_link
from sfa_engine.backstage.verbs import given
from sfa_engine.backstage.verbs.answer import fitting, numbered
from sfa_engine.backstage.watching import Watching
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import MediaError, Refused, did_you_mean
from sfa_engine.finished import within_time
from sfa_engine.library import analysis, cues, tracks
from sfa_engine.library.bundle import PAD_SECONDS
from sfa_engine.library.database import rows
from sfa_engine.library.sources import stem_sources
from sfa_engine.library.tags import read_tags
from sfa_engine.wire.frames import sayable

LEAST_STEMS = 2  # that make a folder one track
MOST_TOLD = 500  # tracks in an answer
LOOK_S = 10.0  # for one name; a disk that spins up takes 6 s
WALK_S = 600.0  # for a folder with all that is in it
Seen = TypeVar("Seen")


class PrepVerbs:
    """The verbs that bring music in.

    Parameters
    ----------
    shop : Workshop
    foreman : Foreman
    watching : Watching
    """

    def __init__(self, shop: Workshop, foreman: Foreman, watching: Watching) -> None:
        self._shop = shop
        self._foreman = foreman
        self._watching = watching

    async def prep_add(
        self,
        sources: Any,
        engine: Any = None,
        model: Any = None,
        again: Any = False,
        priority: Any = 0,
        watch: Any = False,
    ) -> dict[str, Any]:
        """Put files, folders and links in the queue; return the batch, jobs, and folders unread."""
        wish = Wish(
            given.text("engine", engine or ""),
            given.text("model", model or ""),
            given.switch("again", again),
            given.whole("priority", priority, -100, 100),
        )
        watching = given.switch("watch", watch)
        plans: list[Plan] = []
        folders: list[Path] = []
        unread: list[Path] = []
        for word in given.texts("sources", sources):
            meant = await _in_time(word, LOOK_S, meaning, word)
            if isinstance(meant, LocalFolder):
                found, closed = await _in_time(
                    word, WALK_S, partial(_in_folder, meant.path, wish, watched=watching)
                )
                plans += found
                unread += closed
                folders.append(meant.path)
            elif isinstance(meant, LocalFile):
                plans.append(import_file(Find(str(meant.path)), wish))
            else:
                plans.append(import_link(word, wish))
        if watching and not folders:
            raise Refused("only folders can be watched", "name one")
        batch = uuid.uuid4().hex[:12]
        async with self._shop.database.transaction() as connection:
            jobs = await self._shop.queue.add_all(connection, plans, batch)
        self._foreman.wake()
        if watching:
            for folder in folders:
                self._watching.add(folder, wish)
        told = [sayable(str(each)) for each in unread[:MOST_TOLD]]
        return {"batch": batch, **numbered(jobs), "unread": told}

    def prep_watched(self) -> dict[str, Any]:
        """Return the folders that are watched."""
        return {"folders": [str(folder) for folder in self._watching.folders]}

    def prep_unwatch(self, folder: Any) -> dict[str, Any]:
        """Watch a folder no more."""
        path = Path(given.text("folder", folder))
        if not self._watching.remove(path):
            known = [str(each) for each in self._watching.folders]
            raise Refused(f'"{path}" is not watched', did_you_mean(str(path), known))
        return {}

    async def prep_batch(self, batch: Any) -> dict[str, Any]:
        """Return how far a batch is: its jobs by state."""
        counts = {state.value: 0 for state in State}
        found = await self._shop.database.fetch(
            "SELECT state, count(*) FROM batch_jobs JOIN jobs ON jobs.id = job_id"
            " WHERE batch = ? GROUP BY state",
            (given.text("batch", batch),),
        )
        for each in found:
            counts[each[0]] = each[1]
        return {"counts": counts}

    async def prep_tracks(self, batch: Any, after: Any = 0) -> dict[str, Any]:
        """Return the tracks of a batch, a few hundred at a time: those after a number."""
        wanted = (given.text("batch", batch), given.whole("after", after, 0, 2**62), MOST_TOLD)
        async with self._shop.database.reading() as connection:
            found = await rows(
                connection,
                "SELECT track_id, max(coalesce(result ->> '$.truncated', 0)) AS truncated,"
                " max(coalesce(result ->> '$.repaired_samples', 0)) AS repaired_samples,"
                " max(coalesce(result ->> '$.notes', '[]')) AS notes"
                " FROM batch_jobs JOIN jobs ON jobs.id = job_id WHERE batch = ? AND track_id > ?"
                " GROUP BY track_id ORDER BY track_id LIMIT ?",
                wanted,
            )
            taken_in = {each["track_id"]: each for each in found}
            told = [
                {
                    "id": track.id,
                    "title": track.title,
                    "artist": track.artist,
                    "bpm": track.bpm,
                    "key": track.key,
                    "state": track.state,
                    "cues": len(await cues.cues_of(connection, track.id)),
                    "stems": list(track.stems),
                    "sketch": any(s.sketch for s in await analysis.stems_of(connection, track.id)),
                    "truncated": bool(taken_in[track.id]["truncated"]),
                    "repaired_samples": taken_in[track.id]["repaired_samples"],
                    "notes": json.loads(taken_in[track.id]["notes"]),
                }
                for track in await tracks.listed(connection, list(taken_in))
            ]
        return {"tracks": fitting(told)}


async def _in_time(word: str, limit_s: float, look: Callable[..., Seen], *of: str) -> Seen:
    """Look at files outside the event loop: a mount that hangs is told of, and stops nothing."""
    try:
        return await within_time(limit_s, look, *of)
    except TimeoutError:
        raise Refused(
            f'"{word:.200}" did not answer in {limit_s:g} s', "look at its disk or its network"
        ) from None


def _stems_in(folder: Path) -> dict[str, Path]:
    """Return the files of a folder that are the stems of one song; none if they are songs.

    Names alone may deceive: "Bass Culture" and "Vocal Anthem" are of different length.
    """
    try:
        stems = stem_sources(folder)
    except MediaError:
        return {}
    lengths_s = [read_tags(path).duration_s or 0.0 for path in stems.values()]
    alike = max(lengths_s) - min(lengths_s) <= PAD_SECONDS
    return stems if len(stems) >= LEAST_STEMS and alike else {}


def _in_folder(folder: Path, wish: Wish, *, watched: bool) -> tuple[list[Plan], tuple[Path, ...]]:
    """Return the plans for a folder, and the folders in it that cannot be read.

    There is one plan for each sound file, or one for all if they are stems.
    """
    stems = _stems_in(folder)
    if stems:
        found = {name: str(path) for name, path in stems.items()}
        return [import_file(Find(str(folder), found), wish)], ()
    files = sound_files(folder)
    if not files.paths and not watched:
        hint = "name another folder, or a file"
        if files.unread:
            hint = f'"{sayable(str(files.unread[0]))}" cannot be read, mind its rights'
        raise Refused(f'no sound file in "{folder}"', hint)
    return [import_file(Find(str(path)), wish) for path in files.paths], files.unread
