"""An arrangement as sound: clips, lanes and automation, mixed in blocks of any size.

A clip that plays its source as it is, is copied; one that is stretched, transposed or reversed is
played by a deck of the kernel once, as a whole. The mix is summed in float64 from whole numbers of
frames, so that what comes out does not depend on the blocks. Nothing limits it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sfa_engine.errors import Refused
from sfa_engine.host.time_stretch import fitted
from sfa_engine.studio.arrangement import Arrangement, Clip, Lane, Source

BLOCK = 1 << 16  # frames
EDGE = 32  # frames of a fade at an edge that cuts through sound
WHOLE = "mix"
MAX_TRANSPOSE = 12.0  # semitones of a deck
MARGIN_S = 1.0  # of a source around what a deck plays of it

Audio = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sound:
    """The sound of a source.

    Parameters
    ----------
    pcm : int16[frames, 2] or float32[frames, 2]
        May be mapped from a file: what a clip needs of it is read.
    splices : float64[n], optional
        Its onsets, in frames.
    """

    pcm: npt.NDArray[np.int16] | npt.NDArray[np.float32]
    splices: npt.NDArray[np.float64] | None = None

    def part(self, start: int, end: int) -> Audio:
        """Return frames from one to another, which may be outside: float32[end - start, 2]."""
        inside = self.pcm[max(start, 0) : max(end, 0)]
        if inside.dtype == np.int16:
            found = inside.astype(np.float32) / np.float32(32_768.0)
        else:
            found = np.asarray(inside, np.float32)
        before = max(-start, 0)
        return np.pad(found, ((before, end - start - before - len(found)), (0, 0)))


Find = Callable[[Source], Sound]


class Renderer:
    """Renders an arrangement; see the module.

    Parameters
    ----------
    arrangement : Arrangement
    find : callable
        Returns the sound of a source; raises MediaError if it is gone or has changed.
    lanes : collection of int, optional
        Only these, as they sound in the mix: for stems. None: all that are not muted.
    """

    def __init__(self, arrangement: Arrangement, find: Find, lanes: set[int] | None = None) -> None:
        self._arrangement = arrangement
        self._find = find
        self._played: dict[int, Audio] = {}
        self._sounds: dict[Source, Sound] = {}
        audible = set(_audible(arrangement)) & (
            lanes if lanes is not None else set(arrangement.lanes)
        )
        self._clips = sorted(
            (arrangement.begin(clip), number)
            for number, clip in arrangement.clips.items()
            if clip.lane in audible and not clip.mute
        )
        self._bare = _bare_edges(arrangement)

    def blocks(self, start: int = 0, end: int | None = None, block: int = BLOCK) -> Iterator[Audio]:
        """Yield the sound from a frame to another: float32[n, 2], n up to `block`."""
        end = self._arrangement.frames if end is None else end
        for first in range(start, end, block):
            yield self._block(first, min(first + block, end))

    def _block(self, first: int, end: int) -> Audio:
        mix = np.zeros((end - first, 2), np.float64)
        by_lane: dict[int, Gains] = {}
        for begin, number in self._clips:
            if begin >= end:
                break
            clip = self._arrangement.clips[number]
            last = self._arrangement.end(clip)
            if last <= first:
                self._played.pop(number, None)
                continue
            here, there = max(begin, first), min(last, end)
            sound = self._sound(number, clip, here - begin, there - begin).astype(np.float64)
            sound *= self._envelope(number, clip, here - begin, there - begin)[:, None]
            lane = by_lane.setdefault(clip.lane, np.zeros_like(mix))
            lane[here - first : there - first] += sound
        for number in sorted(by_lane):
            mix += by_lane[number] * self._gains(self._arrangement.lanes[number], first, end)
        return mix.astype(np.float32)

    def _sound(self, number: int, clip: Clip, start: int, end: int) -> Audio:
        """Return frames of a clip, without its gain and fades."""
        source = self._sounds.get(clip.source)
        if source is None:
            source = self._sounds[clip.source] = self._find(clip.source)
        whole = int(clip.start)
        is_plain = (
            not clip.warp
            and clip.ratio == 1.0
            and not clip.transpose
            and clip.source.rate == self._arrangement.rate
            and clip.start == whole
        )
        if is_plain:
            if not clip.reverse:
                return source.part(whole + start, whole + end)
            return source.part(whole + clip.length - end, whole + clip.length - start)[::-1]
        if number not in self._played:
            self._played[number] = self._play(clip, source)
        return self._played[number][start:end]

    def _play(self, clip: Clip, source: Sound) -> Audio:
        """Return a whole clip as a deck plays it."""
        if abs(clip.transpose) > MAX_TRANSPOSE:
            raise Refused(
                f"a clip is transposed by {clip.transpose:g} semitones",
                f"give up to {MAX_TRANSPOSE:g}",
            )
        arrangement, rate = self._arrangement, clip.source.rate
        begin = arrangement.begin(clip)
        if clip.warp:
            ticks = [clip.tick + each.tick for each in clip.warp]
            outs = [arrangement.tempo.frame_of(tick, arrangement.rate) - begin for tick in ticks]
            places = [(each.frame, out) for each, out in zip(clip.warp, outs, strict=True)]
        else:
            speed = rate / (arrangement.rate * clip.ratio)
            places = [(clip.start, 0), (clip.start + clip.length * speed, clip.length)]
        first = int(places[0][0] - MARGIN_S * rate)
        end = int(places[-1][0] + MARGIN_S * rate)
        splices = source.splices
        if splices is not None:
            splices = splices[(splices >= first) & (splices < end)] - first
        is_stretched = bool(clip.warp) or clip.ratio != 1.0 or clip.transpose != 0.0
        played = fitted(
            {clip.source.stem: source.part(first, end)},
            [(frame - first, out) for frame, out in places],
            rate,
            arrangement.rate,
            semitones=clip.transpose,
            splices=splices,
            keylock=is_stretched,
        )
        return played[::-1] if clip.reverse else played

    def _envelope(self, number: int, clip: Clip, start: int, end: int) -> Gains:
        """Return the gain of a clip's frames, with its fades: float64[end - start]."""
        span = self._arrangement.end(clip) - self._arrangement.begin(clip)
        at = np.arange(start, end, dtype=np.float64)
        gain = np.full(end - start, 10.0 ** (clip.gain_db / 20.0))
        bare_in, bare_out = self._bare[number]
        for frames, curve, far in (
            (clip.fade_in or (min(EDGE, span // 2) if bare_in else 0), clip.curve_in, at + 0.5),
            (
                clip.fade_out or (min(EDGE, span // 2) if bare_out else 0),
                clip.curve_out,
                span - at - 0.5,
            ),
        ):
            if frames:
                share = np.minimum(far / frames, 1.0)
                gain *= np.sin(share * np.pi / 2) if curve == "power" else share
        return gain

    def _gains(self, lane: Lane, first: int, end: int) -> Gains:
        """Return the gain of both sides of a lane: float64[n, 2], or [1, 2] if it is constant."""
        level, pan = (
            self._value(lane, "volume_db", first, end),
            self._value(lane, "pan", first, end),
        )
        gain = 10.0 ** (level / 20.0)
        return np.stack([gain * np.minimum(1.0 - pan, 1.0), gain * np.minimum(1.0 + pan, 1.0)], -1)

    def _value(self, lane: Lane, name: str, first: int, end: int) -> Gains:
        points = lane.automation.get(name)
        if not points:
            return np.full(1, getattr(lane, name), np.float64)
        arrangement = self._arrangement
        places = [arrangement.tempo.frame_of(point.tick, arrangement.rate) for point in points]
        values = [point.value for point in points]
        return np.interp(np.arange(first, end, dtype=np.float64), places, values)


def _audible(arrangement: Arrangement) -> list[int]:
    """Return the numbers of the lanes that sound: those that are solo, or all that are not mute."""
    soloed = [number for number, lane in arrangement.lanes.items() if lane.solo]
    return [
        number for number in (soloed or arrangement.lanes) if not arrangement.lanes[number].mute
    ]


def _bare_edges(arrangement: Arrangement) -> dict[int, tuple[bool, bool]]:
    """Return for each clip whether its start and its end cut through sound.

    Neither where a source begins or ends, nor where the next clip of the lane goes on with it.
    """
    starts, ends = set(), set()
    for clip in arrangement.clips.values():
        starts.add(_seam(arrangement, clip, at_end=False))
        ends.add(_seam(arrangement, clip, at_end=True))
    found = {}
    for number, clip in arrangement.clips.items():
        start, end = (_seam(arrangement, clip, at_end=at_end) for at_end in (False, True))
        found[number] = (
            start not in ends and 0 < start[0] < clip.source.frames,
            end not in starts and 0 < end[0] < clip.source.frames,
        )
    return found


def _seam(arrangement: Arrangement, clip: Clip, *, at_end: bool) -> tuple[int, object]:
    """Return what two parts of a clip that was cut have in common where they meet."""
    if clip.warp:
        low, high = clip.warp[0].frame, clip.warp[-1].frame
    else:
        speed = clip.source.rate / (arrangement.rate * clip.ratio)
        low, high = clip.start, clip.start + clip.length * speed
    frame = arrangement.end(clip) if at_end else arrangement.begin(clip)
    alike = (
        clip.lane, clip.source, clip.ratio, clip.transpose, clip.gain_db, clip.reverse, clip.mute,
        bool(clip.warp),
    )  # fmt: skip
    return round(high if at_end != clip.reverse else low), (frame, alike)
