"""What a proposal changes, as digests: whether it is still as it was when it was proposed.

Each digest has a name that an error can show: ``the cues by hand of track 12``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sfa_engine.backstage.proposals.rules import Work
from sfa_engine.errors import Refused
from sfa_engine.library.database import Connection, rows
from sfa_engine.library.row_images import Image, Values

Basis = dict[str, str]

HERE, REMOVED, NONE = "here", "removed", ""
_LENGTH = 16  # hexadecimal digits of a digest of rows: it tells changes, no forgeries
_BEHIND = frozenset({"id", "track_id", "changed_at"})  # not what a cue or a grid is
MAX_VARIABLES = 500  # of a query


async def basis_of(connection: Connection, image: Image, work: Work) -> Basis:
    """Return what a proposal changes of the database, by its names, as digests.

    Parameters
    ----------
    connection : Connection
    image : Image
        Of the targets of the work.
    work : Work
    """
    return {**await tracks_basis(connection, work.tracks), **rows_basis(image, work)}


def rows_basis(image: Image, work: Work) -> Basis:
    """Return the digests of rows."""
    found: Basis = {}
    cues = [(key, values) for key, values in image.items() if key[0] == "cues"]
    for track in sorted(work.targets.cues):
        for origin, words in (("hand", "cues by hand"), ("automatic", "analysed cues")):
            mine = [
                json.dumps(_plain(values))
                for _, values in cues
                if values["track_id"] == track and values["origin"] == origin
            ]
            found[f"the {words} of track {track}"] = _digest(sorted(mine))
    for track in sorted(work.targets.grids):
        grids = {key[2]: values for key, values in image.items() if key[:2] == ("grids", track)}
        in_force = grids.get("hand") or grids.get("automatic")
        found[f"the grid of track {track}"] = _digest([_plain(in_force)] if in_force else [])
    for name in sorted(work.targets.playlists):
        is_there = any(
            key[0] == "playlists" and str(values["name"]).casefold() == name.casefold()
            for key, values in image.items()
        )
        entries = [values for key, values in image.items() if key[0] == "playlist_entries"]
        order = sorted(entries, key=lambda values: (values["place"], values["id"]))
        tracks = [values["track_id"] for values in order]
        found[f'the playlist "{name}"'] = _digest(["", *tracks]) if is_there else NONE
    return found


async def tracks_basis(connection: Connection, tracks: Iterable[int]) -> Basis:
    """Return for each track whether it is here."""
    found = {f"track {track}": NONE for track in sorted(tracks)}
    wanted = sorted(tracks)
    for at in range(0, len(wanted), MAX_VARIABLES):
        page = wanted[at : at + MAX_VARIABLES]
        slots = ", ".join("?" * len(page))
        sql = f"SELECT id, deleted_at FROM tracks WHERE id IN ({slots})"  # noqa: S608
        for each in await rows(connection, sql, page):
            is_here = each["deleted_at"] is None
            found[f"track {each['id']}"] = HERE if is_here else REMOVED
    return found


def plan_label(name: str) -> str:
    """Return how a plan is called among the digests."""
    return f'the plan "{name}"'


def change_since(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return in words what has changed; empty if nothing has."""
    for name, digest in before.items():
        found = now.get(name, NONE)
        if found == digest:
            continue
        if digest == NONE:
            return f"{name} has been made"
        is_removed = found == NONE or (name.startswith("track ") and found == REMOVED)
        verb = "have" if name.startswith(("the cues", "the analysed cues")) else "has"
        return f"{name} {verb} been {'removed' if is_removed else 'changed'}"
    return ""


def check_same(number: int, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuse a proposal whose basis has changed."""
    changed = change_since(before, now)
    if changed:
        raise Refused(
            f"proposal {number} does not fit any more: {changed} since", "ask the agent again"
        )
    if set(before) != set(now):
        raise Refused(f"proposal {number} is damaged", f"drop it: `sfa proposals drop {number}`")


def check_numbers(image: Image, work: Work) -> None:
    """Refuse cues that would take the number of a hot cue by hand."""
    taken = {
        (values["track_id"], values["slot"])
        for key, values in image.items()
        if key[0] == "cues" and values["origin"] == "hand" and values["slot"] is not None
    }
    for step in work.steps:
        if step.verb == "library.cue":
            track, slot = step.params["track"], step.params.get("hot_cue")
            if (track, slot) in taken:
                raise Refused(
                    f"hot cue {slot} of track {track} is by hand, and stays",
                    "propose another number",
                )


def _plain(values: Values) -> list[Any]:
    return [value for name, value in values.items() if name not in _BEHIND]


def _digest(items: Iterable[Any]) -> str:
    """Return a digest of values in their order."""
    texts = [json.dumps(each) for each in items]
    if not texts:
        return "none"
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:_LENGTH]
