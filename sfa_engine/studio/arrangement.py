"""An arrangement: clips of stems and tracks on a tempo map. The state of a project; pure data.

::

    Arrangement ─┬─ tempo    ticks ─► frames
                 ├─ lanes    1 Drums ── volume, pan, mute, solo, automation
                 ├─ clips    lane 1: │▀▀▀▀▀│   │▀▀▀│      each a part of a source
                 ├─ markers        ▼ Intro  ▼ Drop
                 └─ loop           ├────────┤

A clip is placed at a tick. Its length is in frames of the arrangement, as long as it keeps its own
time; one that follows the grid has pairs of source frame and tick, and its length in ticks.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import msgspec
from msgspec import Struct

from sfa_engine.errors import MediaError, Refused
from sfa_engine.library.color import is_color
from sfa_engine.studio.tempo_map import MAX_TICK, TempoMap, check_tempo

VERSION = 1
RATES = (8_000, 192_000)  # Hz
MAX_CLIPS = 20_000
MAX_LANES = 256
MAX_NAME = 200  # characters
MAX_FRAMES = 1 << 36  # 16 days at 48 kHz
GAINS = (-60.0, 24.0)  # dB
RATIOS = (0.25, 4.0)
TRANSPOSES = (-24.0, 24.0)  # semitones
PARAMETERS = {"volume_db": GAINS, "pan": (-1.0, 1.0)}  # that can be automated

Curve = Literal["linear", "power"]


class Source(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The sound of a track of the library, or of one of its stems.

    Parameters
    ----------
    content : str
        Identity of the track's sound, as the library has it.
    stem : str
        A name of `sfa_engine.desk.deck.STEMS`, or ``mix``.
    rate, frames : int
        Of the sound.
    name : str
        ``Artist - Title``, for people.
    """

    content: str
    stem: str
    rate: int
    frames: int
    name: str = ""


class Warp(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A frame of the source that is played at a tick after the clip's own."""

    frame: float
    tick: int


class Clip(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a source on a lane.

    Parameters
    ----------
    lane : int
        Number of its lane.
    source : Source
    tick : int
        Where it begins.
    start : float
        Frame of the source that it begins with; of a reversed clip still its first one in time.
    length : int
        In frames of the arrangement; 0 of a clip that follows the grid.
    warp : tuple of Warp
        Of a clip that follows the grid: at least two, the first at tick 0, both rising.
    ratio : float
        Length by that of the source, .25..4; pitch stays.
    transpose : float
        Semitones, -24..24; length stays.
    gain_db : float
    fade_in, fade_out : int
        Frames of the arrangement.
    curve_in, curve_out : str
        ``linear``, or ``power`` for clips that cross.
    reverse, mute : bool
    """

    lane: int
    source: Source
    tick: int
    start: float = 0.0
    length: int = 0
    warp: tuple[Warp, ...] = ()
    ratio: float = 1.0
    transpose: float = 0.0
    gain_db: float = 0.0
    fade_in: int = 0
    fade_out: int = 0
    curve_in: Curve = "linear"
    curve_out: Curve = "linear"
    reverse: bool = False
    mute: bool = False


class Point(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A value at a tick; a straight line leads to the next one."""

    tick: int
    value: float


class Lane(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A lane of the arrangement: what mixers call a track.

    Parameters
    ----------
    name : str
    color : str
        ``#rrggbb``, or empty.
    volume_db : float
    pan : float
        -1 (left) .. 1.
    mute, solo : bool
    automation : dict of str to tuple of Point
        By `PARAMETERS`; ticks rise. Replaces the lane's own value.
    """

    name: str
    color: str = ""
    volume_db: float = 0.0
    pan: float = 0.0
    mute: bool = False
    solo: bool = False
    automation: dict[str, tuple[Point, ...]] = {}


class Marker(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named place."""

    tick: int
    name: str
    color: str = ""


class Span(Struct, frozen=True, forbid_unknown_fields=True):
    """A region from a tick to another."""

    start: int
    end: int


class Arrangement(Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a project.

    Parameters
    ----------
    version : int
    rate : int
        Hz, of what is rendered and of all lengths in frames.
    tempo : TempoMap
    lanes, clips, markers : dict
        By number; numbers are never given twice.
    order : tuple of int
        Numbers of the lanes, from the top.
    loop : Span, optional
    next_number : int
        Of the next lane, clip or marker.
    """

    version: int = VERSION
    rate: int = 48_000
    tempo: TempoMap = TempoMap()
    lanes: dict[int, Lane] = {}
    order: tuple[int, ...] = ()
    clips: dict[int, Clip] = {}
    markers: dict[int, Marker] = {}
    loop: Span | None = None
    next_number: int = 1

    def begin(self, clip: Clip) -> int:
        """Return the frame at which a clip begins."""
        return self.tempo.frame_of(clip.tick, self.rate)

    def end(self, clip: Clip) -> int:
        """Return the frame after the last one of a clip."""
        if clip.warp:
            return self.tempo.frame_of(clip.tick + clip.warp[-1].tick, self.rate)
        return self.begin(clip) + clip.length

    @property
    def frames(self) -> int:
        """Length of the arrangement: the end of its last clip."""
        return max((self.end(clip) for clip in self.clips.values()), default=0)


def encode(arrangement: Arrangement) -> bytes:
    """Return an arrangement as JSON; of a project, equal ones are equal bytes."""
    return msgspec.json.encode(arrangement)


def decode(content: bytes) -> Arrangement:
    """Read an arrangement from JSON, and check it; raises MediaError."""
    try:
        found = msgspec.json.decode(content, type=Arrangement)
        check(found)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise MediaError(f"not an arrangement: {problem}", "restore it from a backup") from None
    except Refused as problem:
        raise MediaError(f"not an arrangement: {problem}", "restore it from a backup") from None
    return found


def check(arrangement: Arrangement) -> None:
    """Raise Refused unless an arrangement can be rendered."""
    if arrangement.version != VERSION:
        raise Refused(f"version {arrangement.version} of arrangements", "update the engine")
    _within("rate", arrangement.rate, RATES)
    check_tempo(arrangement.tempo, arrangement.rate)
    if len(arrangement.clips) > MAX_CLIPS or len(arrangement.lanes) > MAX_LANES:
        raise Refused(
            "the arrangement is too large", f"use up to {MAX_CLIPS} clips on {MAX_LANES} lanes"
        )
    if sorted(arrangement.order) != sorted(arrangement.lanes):
        raise Refused("the order of the lanes does not name each of them once", "list all lanes")
    numbers = [*arrangement.lanes, *arrangement.clips, *arrangement.markers]
    if len(set(numbers)) < len(numbers) or max(numbers, default=0) >= arrangement.next_number:
        raise Refused("a number is given twice", "let the project give them")
    if arrangement.loop is not None:
        _check_tick(arrangement.loop.start)
        _check_tick(arrangement.loop.end)
        if arrangement.loop.start >= arrangement.loop.end:
            raise Refused("the loop ends before it begins", "give an end after its start")
    for lane in arrangement.lanes.values():
        check_lane(lane)
    for clip in arrangement.clips.values():
        check_clip(arrangement, clip)
    for marker in arrangement.markers.values():
        check_marker(marker)


def check_lane(lane: Lane) -> None:
    """Raise Refused unless a lane can be rendered."""
    _check_words(lane.name, lane.color)
    _within("volume", lane.volume_db, GAINS)
    _within("pan", lane.pan, PARAMETERS["pan"])
    for name, points in lane.automation.items():
        if name not in PARAMETERS:
            raise Refused(f'"{name:.40}" cannot be automated', f"give {', '.join(PARAMETERS)}")
        for point in points:
            _check_tick(point.tick)
            _within(f"{name} at tick {point.tick}", point.value, PARAMETERS[name])
        if any(one.tick >= other.tick for one, other in pairwise(points)):
            raise Refused(f"points of {name} are not in order", "sort them by tick")


def check_marker(marker: Marker) -> None:
    """Raise Refused unless a marker is in order."""
    _check_words(marker.name, marker.color)
    _check_tick(marker.tick)


def check_clip(arrangement: Arrangement, clip: Clip) -> None:
    """Raise Refused unless a clip lies on a lane and inside of its source."""
    if clip.lane not in arrangement.lanes:
        raise Refused(f"no lane {clip.lane}", "see `sfa project show`")
    source = clip.source
    _within("rate of a source", source.rate, RATES)
    _within("length of a source", source.frames, (1, MAX_FRAMES))
    _check_words(source.name, "")
    _check_words(source.stem, "")
    _check_words(source.content, "")
    _check_tick(clip.tick)
    _within("start", clip.start, (0.0, source.frames))
    _within("ratio", clip.ratio, RATIOS)
    _within("transpose", clip.transpose, TRANSPOSES)
    _within("gain", clip.gain_db, GAINS)
    if clip.warp:
        _check_warp(clip)
    else:
        _within("length", clip.length, (1, MAX_FRAMES))
        if last_frame(arrangement, clip) > source.frames + 1:
            raise Refused(
                f"the clip at tick {clip.tick} ends after its source",
                f"shorten it: the source has {source.frames} frames",
            )
    span = arrangement.end(clip) - arrangement.begin(clip)
    if min(clip.fade_in, clip.fade_out) < 0 or clip.fade_in + clip.fade_out > span:
        raise Refused(
            f"fades of {clip.fade_in} and {clip.fade_out} frames", f"use up to {span} in all"
        )


def speed(arrangement: Arrangement, clip: Clip) -> float:
    """Return the frames of the source that a frame of the arrangement plays, without a warp."""
    return clip.source.rate / (arrangement.rate * clip.ratio)


def last_frame(arrangement: Arrangement, clip: Clip) -> float:
    """Return the frame of the source with which a clip ends."""
    if clip.warp:
        return clip.warp[-1].frame
    return clip.start + clip.length * speed(arrangement, clip)


def _check_warp(clip: Clip) -> None:
    if len(clip.warp) < 2 or clip.warp[0].tick != 0 or clip.length:
        raise Refused("a clip on the grid has two places or more, the first at its start", "")
    for here, there in pairwise(clip.warp):
        if not (here.tick < there.tick and here.frame < there.frame):
            raise Refused(f"the clip goes from {here} to {there}", "both must rise")
    _check_tick(clip.tick + clip.warp[-1].tick)
    _within("start", clip.warp[0].frame, (0.0, clip.source.frames))
    _within("end", clip.warp[-1].frame, (0.0, clip.source.frames + 1))


def _check_words(name: str, color: str) -> None:
    if len(name) > MAX_NAME or any(ord(letter) < 32 for letter in name):
        raise Refused(f"invalid name {name!r:.40}", f"give a line of up to {MAX_NAME} characters")
    if color and not is_color(color):
        raise Refused(f'invalid colour "{color:.40}"', 'write it like "#ff8800"')


def _check_tick(tick: int) -> None:
    if not 0 <= tick <= MAX_TICK:
        raise Refused(f"invalid tick {tick}", f"give 0 to {MAX_TICK}")


def _within(what: str, value: float, limits: tuple[float, float]) -> None:
    if not (math.isfinite(value) and limits[0] <= value <= limits[1]):
        raise Refused(f"invalid {what} {value:g}", f"give {limits[0]:g} to {limits[1]:g}")
