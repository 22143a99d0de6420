"""The verbs of an arrangement: each makes a new one of it. Pure.

A verb is a function ``(arrangement, …) -> Arrangement`` that raises Refused for what cannot be;
`VERBS` has them by name. What it changed is found by comparing (`sfa_engine.studio.patch`), so that
no verb has an inverse to be written. Ticks may be quantised to multiples of `grid`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.studio.arrangement import (
    MAX_CLIPS,
    Arrangement,
    Clip,
    Curve,
    Lane,
    Marker,
    Point,
    Source,
    Span,
    Warp,
    check,
    check_clip,
    check_lane,
    check_marker,
    last_frame,
    speed,
)
from sfa_engine.studio.tempo_map import TempoAnchor, TempoMap, check_tempo

_JOIN_FRAMES = 1.0  # of a source, by which two parts of one cut may be off

# ------------------------------------------------------------------ clips


def add(
    arrangement: Arrangement,
    lane: int,
    source: Source,
    tick: int,
    start: float = 0.0,
    length: int = 0,
    warp: tuple[Warp, ...] = (),
    grid: int = 0,
) -> Arrangement:
    """Put a part of a source on a lane; without a length and a warp all that follows its start.

    Parameters
    ----------
    arrangement : Arrangement
    lane : int
    source : Source
    tick : int
    start : float
        Frame of the source.
    length : int
        Frames of the arrangement.
    warp : tuple of Warp
        For a clip that follows the grid.
    grid : int
        Ticks that the place is quantised to; 0: not.
    """
    if not length and not warp:
        length = int((source.frames - start) * arrangement.rate / max(source.rate, 1))
    start = warp[0].frame if warp else start
    clip = Clip(lane, source, _quantised(tick, grid), start, length, warp)
    return _with_new(arrangement, clip)


def move(
    arrangement: Arrangement, clip: int, tick: int, lane: int = 0, grid: int = 0
) -> Arrangement:
    """Move a clip to a tick, and to another lane unless that is 0."""
    old = _clip(arrangement, clip)
    return _with(
        arrangement, clip, replace(old, tick=_quantised(tick, grid), lane=lane or old.lane)
    )


def copy(
    arrangement: Arrangement, clip: int, tick: int, lane: int = 0, grid: int = 0
) -> Arrangement:
    """Put a copy of a clip at a tick."""
    old = _clip(arrangement, clip)
    return _with_new(arrangement, replace(old, tick=_quantised(tick, grid), lane=lane or old.lane))


def delete(arrangement: Arrangement, clip: int) -> Arrangement:
    """Delete a clip."""
    _clip(arrangement, clip)
    return replace(
        arrangement, clips={n: each for n, each in arrangement.clips.items() if n != clip}
    )


def split(arrangement: Arrangement, clip: int, tick: int, grid: int = 0) -> Arrangement:
    """Cut a clip in two at a tick inside of it; the second part gets a new number."""
    first, second = _cut(arrangement, clip, _quantised(tick, grid))
    return _with_new(_with(arrangement, clip, first), second)


def trim(
    arrangement: Arrangement, clip: int, start: int = 0, end: int = 0, grid: int = 0
) -> Arrangement:
    """Cut off what a clip has before a tick, and after another; 0: nothing."""
    for tick, part in ((_quantised(start, grid), 1), (_quantised(end, grid), 0)):
        if tick:
            arrangement = _with(arrangement, clip, _cut(arrangement, clip, tick)[part])
    return arrangement


def extend(arrangement: Arrangement, clip: int, frames: int) -> Arrangement:
    """Make a clip that keeps its own time longer at its end, or shorter: to so many frames."""
    old = _clip(arrangement, clip)
    if old.warp:
        raise Refused(f"clip {clip} follows the grid", "trim it, or stretch it")
    return _with(arrangement, clip, replace(old, length=frames))


def join(arrangement: Arrangement, first: int, second: int) -> Arrangement:
    """Make one clip of two that follow each other in lane, time and source."""
    one, other = _clip(arrangement, first), _clip(arrangement, second)
    parts = (replace(one, fade_out=0), replace(other, fade_in=0))
    alike = [
        replace(
            part, tick=0, start=0.0, length=0, warp=(), fade_in=0, fade_out=0,
            curve_in="linear", curve_out="linear",
        )
        for part in parts
    ]  # fmt: skip
    if (
        first == second
        or alike[0] != alike[1]
        or bool(one.warp) != bool(other.warp)
        or one.reverse
        or arrangement.end(one) != arrangement.begin(other)
        or abs(last_frame(arrangement, one) - other.start) > _JOIN_FRAMES
    ):
        raise Refused(
            f"clips {first} and {second} are not two parts of one",
            "join what was split, with equal settings",
        )
    warp = one.warp
    if warp:
        at = one.warp[-1].tick
        warp = (*warp, *(Warp(each.frame, each.tick + at) for each in other.warp[1:]))
    whole = replace(
        one,
        length=one.length + other.length,
        warp=warp,
        fade_out=other.fade_out,
        curve_out=other.curve_out,
    )
    return _with(delete(arrangement, second), first, whole)


def fade(
    arrangement: Arrangement,
    clip: int,
    fade_in: int | None = None,
    fade_out: int | None = None,
    curve: Curve | None = None,
) -> Arrangement:
    """Set the fades of a clip, in frames, and their curve; what is not given stays."""
    old = _clip(arrangement, clip)
    return _with(
        arrangement,
        clip,
        replace(
            old,
            fade_in=old.fade_in if fade_in is None else fade_in,
            fade_out=old.fade_out if fade_out is None else fade_out,
            curve_in=old.curve_in if curve is None or fade_in is None else curve,
            curve_out=old.curve_out if curve is None or fade_out is None else curve,
        ),
    )


def gain(arrangement: Arrangement, clip: int, gain_db: float) -> Arrangement:
    """Set the gain of a clip."""
    return _with(arrangement, clip, replace(_clip(arrangement, clip), gain_db=gain_db))


def stretch(
    arrangement: Arrangement, clip: int, ratio: float = 1.0, warp: tuple[Warp, ...] = ()
) -> Arrangement:
    """Stretch a clip by a ratio of its source's length, or to the grid by a warp; pitch stays."""
    old = _clip(arrangement, clip)
    if warp:
        return _with(
            arrangement,
            clip,
            replace(old, warp=warp, start=warp[0].frame, length=0, ratio=1.0),
        )
    if old.warp:
        own = (old.warp[-1].frame - old.warp[0].frame) * arrangement.rate / old.source.rate
        start = old.warp[0].frame
    else:
        own, start = old.length / old.ratio, old.start
    new = replace(old, warp=(), ratio=ratio, start=start, length=max(1, int(own * ratio)))
    return _with(arrangement, clip, _with_short_fades(new))


def transpose(arrangement: Arrangement, clip: int, semitones: float) -> Arrangement:
    """Transpose a clip by semitones; its length stays."""
    return _with(arrangement, clip, replace(_clip(arrangement, clip), transpose=semitones))


def reverse(arrangement: Arrangement, clip: int) -> Arrangement:
    """Play a clip backwards, or forwards again."""
    old = _clip(arrangement, clip)
    return _with(arrangement, clip, replace(old, reverse=not old.reverse))


def mute(arrangement: Arrangement, clip: int, on: bool = True) -> Arrangement:
    """Mute a clip, or not."""
    return _with(arrangement, clip, replace(_clip(arrangement, clip), mute=on))


# ------------------------------------------------------------------ lanes


def lane_add(
    arrangement: Arrangement, name: str, color: str = "", at: int | None = None
) -> Arrangement:
    """Add a lane, at the bottom or at a place from the top (0)."""
    lane = Lane(name, color)
    check_lane(lane)
    number, order = arrangement.next_number, list(arrangement.order)
    order.insert(len(order) if at is None else max(0, at), number)
    return _checked(
        replace(
            arrangement,
            lanes={**arrangement.lanes, number: lane},
            order=tuple(order),
            next_number=number + 1,
        )
    )


def lane_set(
    arrangement: Arrangement,
    lane: int,
    name: str | None = None,
    color: str | None = None,
    volume_db: float | None = None,
    pan: float | None = None,
    mute: bool | None = None,
    solo: bool | None = None,
) -> Arrangement:
    """Change a lane; what is not given stays."""
    given = {
        "name": name, "color": color, "volume_db": volume_db, "pan": pan, "mute": mute,
        "solo": solo,
    }  # fmt: skip
    changed = {key: value for key, value in given.items() if value is not None}
    return _with_lane(arrangement, lane, replace(_lane(arrangement, lane), **changed))


def lane_automate(
    arrangement: Arrangement,
    lane: int,
    parameter: Literal["volume_db", "pan"],
    points: tuple[Point, ...],
) -> Arrangement:
    """Set the automation of a lane's parameter; without points it has none."""
    old = _lane(arrangement, lane)
    kept = {name: each for name, each in old.automation.items() if name != parameter}
    if points:
        kept[parameter] = points
    return _with_lane(arrangement, lane, replace(old, automation=dict(sorted(kept.items()))))


def lane_move(arrangement: Arrangement, lane: int, at: int) -> Arrangement:
    """Move a lane to a place from the top (0)."""
    _lane(arrangement, lane)
    order = [each for each in arrangement.order if each != lane]
    order.insert(max(0, at), lane)
    return replace(arrangement, order=tuple(order))


def lane_delete(arrangement: Arrangement, lane: int) -> Arrangement:
    """Delete a lane with its clips."""
    _lane(arrangement, lane)
    return replace(
        arrangement,
        lanes={n: each for n, each in arrangement.lanes.items() if n != lane},
        order=tuple(each for each in arrangement.order if each != lane),
        clips={n: each for n, each in arrangement.clips.items() if each.lane != lane},
    )


# ------------------------------------------------------------------ places


def tempo(
    arrangement: Arrangement,
    bpm: float,
    anchors: tuple[TempoAnchor, ...] = (TempoAnchor(0, 0),),
    beats_per_bar: int = 4,
) -> Arrangement:
    """Replace the tempo map."""
    new = TempoMap(anchors, bpm, beats_per_bar)
    check_tempo(new, arrangement.rate)
    changed = replace(arrangement, tempo=new)
    clips = {
        number: _with_short_fades(clip, changed.end(clip) - changed.begin(clip))
        for number, clip in arrangement.clips.items()
    }
    return _checked(replace(changed, clips=clips))


def loop(arrangement: Arrangement, start: int = 0, end: int = 0, grid: int = 0) -> Arrangement:
    """Set the loop region by its ticks; without an end there is none."""
    start, end = _quantised(start, grid), _quantised(end, grid)
    return _checked(replace(arrangement, loop=Span(start, end) if end else None))


def marker_add(
    arrangement: Arrangement, tick: int, name: str, color: str = "", grid: int = 0
) -> Arrangement:
    """Add a marker."""
    marker = Marker(_quantised(tick, grid), name, color)
    check_marker(marker)
    number = arrangement.next_number
    return replace(
        arrangement,
        markers={**arrangement.markers, number: marker},
        next_number=number + 1,
    )


def marker_delete(arrangement: Arrangement, marker: int) -> Arrangement:
    """Delete a marker."""
    if marker not in arrangement.markers:
        raise Refused(f"no marker {marker}", "see `sfa project show`")
    return replace(
        arrangement,
        markers={n: each for n, each in arrangement.markers.items() if n != marker},
    )


VERBS: dict[str, Callable[..., Arrangement]] = {
    "add": add, "move": move, "copy": copy, "delete": delete, "split": split, "trim": trim,
    "extend": extend, "join": join, "fade": fade, "gain": gain, "stretch": stretch,
    "transpose": transpose, "reverse": reverse, "mute": mute,
    "lane.add": lane_add, "lane.set": lane_set, "lane.automate": lane_automate,
    "lane.move": lane_move, "lane.delete": lane_delete,
    "tempo": tempo, "loop": loop, "marker.add": marker_add, "marker.delete": marker_delete,
}  # fmt: skip

_SIGNATURES = {
    name: inspect.signature(verb, eval_str=True).parameters for name, verb in VERBS.items()
}


def edited(arrangement: Arrangement, verb: str, values: Mapping[str, Any]) -> Arrangement:
    """Return an arrangement after a verb; the old one is unchanged.

    Parameters
    ----------
    arrangement : Arrangement
    verb : str
        Of `VERBS`.
    values : mapping
        Arguments as JSON has them.

    Raises
    ------
    Refused
        No such verb, a wrong argument, or an edit that the arrangement cannot have.
    """
    if verb not in VERBS:
        raise Refused(
            f'no edit "{verb:.40}"', did_you_mean(verb, VERBS) or f"give {', '.join(VERBS)}"
        )
    parameters = _SIGNATURES[verb]
    names = [name for name in parameters if name != "arrangement"]
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            raise Refused(
                f'{verb} has no "{name:.40}"',
                did_you_mean(name, names) or f"give {', '.join(names)}",
            )
        try:
            given[name] = msgspec.convert(value, parameters[name].annotation)
        except msgspec.ValidationError as problem:
            raise Refused(f"{name} of {verb}: {problem}", "see `sfa project edit --help`") from None
    for name in names:
        if name not in given and parameters[name].default is inspect.Parameter.empty:
            raise Refused(f"{verb} needs {name}", f"give {', '.join(names)}")
    return VERBS[verb](arrangement, **given)


# ------------------------------------------------------------------ parts


def _clip(arrangement: Arrangement, number: int) -> Clip:
    try:
        return arrangement.clips[number]
    except KeyError:
        raise Refused(f"no clip {number}", "see `sfa project show`") from None


def _lane(arrangement: Arrangement, number: int) -> Lane:
    try:
        return arrangement.lanes[number]
    except KeyError:
        raise Refused(f"no lane {number}", "see `sfa project show`") from None


def _with(arrangement: Arrangement, number: int, clip: Clip) -> Arrangement:
    check_clip(arrangement, clip)
    return replace(arrangement, clips={**arrangement.clips, number: clip})


def _with_new(arrangement: Arrangement, clip: Clip) -> Arrangement:
    if len(arrangement.clips) >= MAX_CLIPS:
        raise Refused(f"the arrangement has {MAX_CLIPS} clips", "delete some, or begin another")
    number = arrangement.next_number
    return replace(_with(arrangement, number, clip), next_number=number + 1)


def _with_lane(arrangement: Arrangement, number: int, lane: Lane) -> Arrangement:
    check_lane(lane)
    return replace(arrangement, lanes={**arrangement.lanes, number: lane})


def _checked(arrangement: Arrangement) -> Arrangement:
    check(arrangement)
    return arrangement


def _quantised(tick: int, grid: int) -> int:
    if grid < 0:
        raise Refused(f"invalid grid of {grid} ticks", "give 0 or more; 240 are a 1/16")
    return (2 * tick + grid) // (2 * grid) * grid if grid else tick


def _with_short_fades(clip: Clip, span: int | None = None) -> Clip:
    """Return a clip whose fades fit into it."""
    span = clip.length if span is None else span
    if clip.fade_in + clip.fade_out <= span:
        return clip
    fade_in = min(clip.fade_in, span)
    return replace(clip, fade_in=fade_in, fade_out=min(clip.fade_out, span - fade_in))


def _cut(arrangement: Arrangement, number: int, tick: int) -> tuple[Clip, Clip]:
    """Return the two parts of a clip that is cut at a tick."""
    clip = _clip(arrangement, number)
    at = arrangement.tempo.frame_of(max(tick, 0), arrangement.rate) - arrangement.begin(clip)
    span = arrangement.end(clip) - arrangement.begin(clip)
    if not (0 < at < span and tick > clip.tick):
        raise Refused(
            f"tick {tick} is not inside of clip {number}",
            f"it lasts from {clip.tick} to"
            f" {arrangement.tempo.tick_of(arrangement.end(clip), arrangement.rate)}",
        )
    first = replace(clip, fade_in=min(clip.fade_in, at), fade_out=0, curve_out="linear")
    second = replace(
        clip, tick=tick, fade_in=0, curve_in="linear", fade_out=min(clip.fade_out, span - at)
    )
    if clip.warp:
        return _cut_warp(clip, first, second, tick - clip.tick)
    if clip.reverse:  # its first frames in time are the last ones of the source's part
        seam = clip.start + (span - at) * speed(arrangement, clip)
        return replace(first, start=seam, length=at), replace(second, length=span - at)
    seam = clip.start + at * speed(arrangement, clip)
    return replace(first, length=at), replace(second, start=seam, length=span - at)


def _cut_warp(clip: Clip, first: Clip, second: Clip, at: int) -> tuple[Clip, Clip]:
    """Return the two parts of a clip that follows the grid, cut at a tick after its own."""
    if clip.reverse:
        raise Refused("a clip that is reversed on the grid cannot be cut", "reverse it, then cut")
    after = next(k for k, each in enumerate(clip.warp) if each.tick >= at)
    here, there = clip.warp[after - 1], clip.warp[after]
    share = (at - here.tick) / (there.tick - here.tick)
    seam = here.frame + share * (there.frame - here.frame)
    rest = [each for each in clip.warp[after:] if each.tick > at]
    return (
        replace(first, warp=(*clip.warp[:after], Warp(seam, at))),
        replace(
            second,
            start=seam,
            warp=(Warp(seam, 0), *(Warp(each.frame, each.tick - at) for each in rest)),
        ),
    )
