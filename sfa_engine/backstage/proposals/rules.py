"""What a proposal may do: the verbs of each kind, their parameters, and what they change. Pure.

======== ======================================== ==========================================
kind     verb                                     changes
======== ======================================== ==========================================
cues     ``library.cue``                          adds cues; takes no number of one by hand
grid     ``library.grid``                         shifts or corrects a grid
playlist ``library.playlist_add``                 appends to a playlist, or makes one
plan     ``mix.save``, ``mix.plan``               makes or replaces a plan
======== ======================================== ==========================================

A proposal is a row that a model may have had a hand in: nothing else is called, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sfa_engine.agents.contract import ProposalKind, Step
from sfa_engine.errors import Refused
from sfa_engine.library.row_images import Targets

MAX_STEPS = 200
ALLOWED: Mapping[ProposalKind, Mapping[str, frozenset[str]]] = {
    "cues": {
        "library.cue": frozenset(
            {
                *("track", "position_s", "hot_cue", "kind", "label", "end_s", "color", "stem"),
                "on_load",
                "free",
            }
        )
    },
    "grid": {"library.grid": frozenset({"track", "shift", "downbeat_s", "bpm", "tempo", "take"})},
    "playlist": {"library.playlist_add": frozenset({"name", "tracks"})},
    "plan": {
        "mix.save": frozenset({"name", "text", "was"}),
        "mix.plan": frozenset(
            {
                *("name", "tracks", "arc", "rate_pct", "shift_key", "lufs", "first", "last"),
                *("after", "ordered", "replace"),
            }
        ),
    },
}
_NUMBER = re.compile(r"#?([0-9]{1,15})\Z")


@dataclass(frozen=True)
class Work:
    """Steps that are allowed, and what they change.

    Attributes
    ----------
    steps : tuple of Step
        Their tracks as numbers that no word can be mistaken for.
    targets : Targets
    plans : frozenset of str
        Names of the plans that they change.
    tracks : frozenset of int
        All that the proposal names.
    """

    steps: tuple[Step, ...]
    targets: Targets
    plans: frozenset[str] = frozenset()
    tracks: frozenset[int] = frozenset()


@dataclass
class _Seen:
    """What has been found in the steps so far."""

    tracks: frozenset[int]
    changed: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def number(self, value: Any) -> int:
        """Return the number of a track that the proposal names."""
        found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        number = int(found[1]) if found else value
        if type(number) is not int or number not in self.tracks:
            raise Refused(f"a step is of track {value!r:.40}", "the proposal does not name it")
        return number


def work_of(kind: ProposalKind, steps: Sequence[Step], tracks: Sequence[int]) -> Work:
    """Return the steps of a proposal as they are run, and what they change.

    Raises
    ------
    Refused
        A step is not one of its kind, or changes what the proposal does not name.
    """
    allowed = ALLOWED.get(kind)
    if allowed is None or not 0 < len(steps) <= MAX_STEPS:
        raise Refused(
            f"a proposal of kind {kind!r:.40} has {len(steps)} steps", f"1 to {MAX_STEPS} are run"
        )
    seen = _Seen(frozenset(tracks))
    done = []
    for step in steps:
        if step.verb not in allowed:
            raise Refused(
                f'a proposal of kind "{kind}" may not call "{step.verb:.60}"',
                f"it calls {' or '.join(allowed)}",
            )
        for name in step.params:
            if name not in allowed[step.verb]:
                raise Refused(
                    f'a proposal may not give "{name:.60}" to {step.verb}',
                    f"it gives {', '.join(sorted(allowed[step.verb]))}",
                )
        done.append(msgspec.structs.replace(step, params=_PARAMS[step.verb](step.params, seen)))
    changed = frozenset(seen.changed)
    return Work(
        tuple(done),
        Targets(
            cues=changed if kind == "cues" else frozenset(),
            grids=changed if kind in {"cues", "grid"} else frozenset(),
            playlists=frozenset(seen.names) if kind == "playlist" else frozenset(),
        ),
        frozenset(seen.names) if kind == "plan" else frozenset(),
        seen.tracks,
    )


def _of_track(params: Mapping[str, Any], seen: _Seen) -> dict[str, Any]:
    number = seen.number(params.get("track"))
    seen.changed.add(number)
    return {**params, "track": number}


def _of_playlist(params: Mapping[str, Any], seen: _Seen) -> dict[str, Any]:
    words = [f"#{number}" for number in _numbers(params.get("tracks", []), seen)]
    return {"name": _name(params, seen), "tracks": words}


def _of_plan(params: Mapping[str, Any], seen: _Seen) -> dict[str, Any]:
    """Return parameters whose tracks are numbers; those of a text are checked by ``mix.save``."""
    found = {**params, "name": _name(params, seen)}
    found.pop("was", None)  # the digest of the basis takes its place
    if "tracks" in found:
        found["tracks"] = _numbers(found["tracks"], seen)
    for name in ("first", "last"):
        if found.get(name) is not None:
            found[name] = seen.number(found[name])
    if "after" in found:
        found["after"] = [_numbers(pair, seen) for pair in _list(found["after"])]
    return found


def _name(params: Mapping[str, Any], seen: _Seen) -> str:
    name = params.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Refused(f"a step is of {name!r:.40}", "it needs a name")
    name = name.strip()
    if seen.names and name not in seen.names:
        raise Refused("a proposal is of several names", "make one proposal of each")
    seen.names.add(name)
    return name


def _numbers(value: Any, seen: _Seen) -> list[int]:
    return [seen.number(each) for each in _list(value)]


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise Refused(f"a step has {value!r:.40} for a list", "report it")
    return value


_PARAMS: Mapping[str, Callable[[Mapping[str, Any], _Seen], dict[str, Any]]] = {
    "library.cue": _of_track,
    "library.grid": _of_track,
    "library.playlist_add": _of_playlist,
    "mix.save": _of_plan,
    "mix.plan": _of_plan,
}
