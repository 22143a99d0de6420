"""Cuts a set of loops from bundles, measures their seams, and writes a kit or a zip.

::

    places, best first ─► cut on the bundle's grid ─► measured ─┬─ good: the next pad
                                                                └─ not: the next place
    loops ─┬─► kit   each pad plays a stretch of its WAV, with the sound around it for its seam
           └─► zip   a file for each, its end faded over to what lies before its start if it clicks

A loop that is not faded has the frames of its stem, unchanged.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import soundfile
from msgspec import Struct
from numpy.typing import NDArray

from sfa_engine.errors import MediaError, Refused
from sfa_engine.host.loader import read_onsets
from sfa_engine.host.time_stretch import stretched
from sfa_engine.mix import loop_seam
from sfa_engine.mix.facts import VOCALS
from sfa_engine.mix.loop_seam import Seam, Sound
from sfa_engine.mix.loops import cut
from sfa_engine.prep.mixdown import Mixdown
from sfa_engine.system.atomic import atomic_file, temporary_directory
from sfa_engine.system.file_names import safe_name
from sfa_engine.track.grid import Grid
from sfa_engine.track.kit import Source, check_name, write_kit
from sfa_engine.track.media import WHOLE, Bundle, read_bundle

INFO = "info.json"
VERSION = 1
MAX_PASSED = 20  # places that were passed over, in a result
MAX_TITLE = 80  # characters of it in the name of a loop
MOVED_S = 0.0005  # by which the start of a loop may differ from what was planned
MAX_CHANGE = 1.25  # of a tempo; beyond, a stretch is audible
LEAD_S, TAIL_S = 1.0, 0.5  # that the stretcher plays before and behind a loop
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same loops give the same bytes
QUANTISE = {True: "bar", False: "beat"}  # of a pad: by whether the loop has whole bars
Progress = Callable[[float, str], None]


class Place(Struct, frozen=True):
    """Where a loop is: see `sfa_engine.mix.loops.LoopPlace`."""

    track: int
    beat: int
    beats: int
    start_s: float
    key: str = ""
    section: str = ""
    why: str = ""


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Loops of one stem, and where they may be, best first."""

    stem: str
    count: int
    places: tuple[Place, ...]


class Origin(Struct, frozen=True, forbid_unknown_fields=True):
    """A track: its bundle, empty if it was removed, and what it is called."""

    path: str
    name: str


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do.

    Parameters
    ----------
    wanted : tuple of Wanted
    tracks : dict of int to Origin
    kit : str
        Folder of the kit to write; or empty.
    zip : str
        File of the zip to write; or empty.
    bpm : float
        Tempo that the loops are stretched to, in their own key; 0: they keep theirs.
    format : str
        Of the files in a zip.
    replace : bool
        Whether an earlier kit is replaced.
    """

    wanted: tuple[Wanted, ...]
    tracks: dict[int, Origin]
    kit: str = ""
    zip: str = ""
    bpm: float = 0.0
    format: Literal["flac", "wav"] = "flac"
    replace: bool = False


@dataclass(frozen=True)
class Loop:
    """A loop that was cut.

    Parameters
    ----------
    place : Place
    stem : str
    origin : Origin
    bundle : Bundle
    start, frames : int
        In the stem.
    seam : Seam
    bpm : float
        Tempo of the track, by its grid.
    tempo : float
        Tempo of the loop: `bpm`, unless it is stretched.
    """

    place: Place
    stem: str
    origin: Origin
    bundle: Bundle
    start: int
    frames: int
    seam: Seam
    bpm: float
    tempo: float

    @property
    def is_stretched(self) -> bool:
        """Whether its tempo is another than in the track."""
        return round(60.0 * self.place.beats / self.tempo * self.rate) != self.frames

    @property
    def length(self) -> int:
        """Frames of the loop as it is written."""
        if self.is_stretched:
            return round(60.0 * self.place.beats / self.tempo * self.rate)
        return self.frames

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems of the bundle that sound in it."""
        there = tuple(each.name for each in self.bundle.track.stems)
        return there if self.stem == WHOLE else (self.stem,)

    @property
    def rate(self) -> int:
        """Hz."""
        return self.bundle.track.rate

    def described(self, pad: int) -> dict[str, Any]:
        """Return it as plain values."""
        place, track = self.place, self.bundle.track
        return {
            "pad": pad,
            "stem": self.stem,
            "track": place.track,
            "name": self.origin.name,
            "beats": place.beats,
            "bpm": round(self.tempo, 3),
            "track_bpm": round(self.bpm, 3),
            "key": place.key,
            "section": place.section,
            "beat": place.beat,
            "start_s": round(self.start / self.rate, 6),
            "start_frame": self.start,
            "track_frames": self.frames,
            "frames": self.length,
            "rate": self.rate,
            "gain_db": track.gain_db,
            "seam": msgspec.to_builtins(self.seam),
            "why": place.why,
        }


def make(request: Request, progress: Progress) -> dict[str, Any]:
    """Cut the loops, and write them.

    Returns
    -------
    dict
        ``loops``, in the order of their pads; ``passed_over``, places that were not good, each with
        why; ``missing``, of which stem how many were not found; and ``kit`` or ``zip``, a name.

    Raises
    ------
    Refused
        There is a kit of the name.
    MediaError
        No place is good, or the result cannot be written.
    """
    if bool(request.kit) is bool(request.zip):
        raise Refused("one of kit and zip is needed", "name a kit, or a zip")
    kit, archive = Path(request.kit), Path(request.zip)
    if request.kit:
        check_name(kit.name)
        if kit.exists() and not request.replace:
            raise Refused(f'there is a kit "{kit.name}"', "replace it, or choose another name")
    total = sum(each.count for each in request.wanted)
    loops: list[Loop] = []
    passed: list[dict[str, Any]] = []
    missing = []
    for wanted in request.wanted:
        taken = 0
        for loop in _good(wanted, request.tracks, request.bpm, passed):
            loops.append(loop)
            taken += 1
            progress(0.5 * len(loops) / total, f"cutting {loop.origin.name}")
            if taken == wanted.count:
                break
        if taken < wanted.count:
            missing.append({"stem": wanted.stem, "count": wanted.count - taken})
    if not loops:
        why = f": {passed[0]['name']} {passed[0]['why']}" if passed else ""
        raise MediaError(f"no loop can be cut{why}", "use other words, or prepare more music")
    described = [loop.described(pad) for pad, loop in enumerate(loops, 1)]
    if request.kit:
        _write_kit(kit, loops, progress)
    else:
        _write_zip(archive, loops, described, request.format, progress)
    return {
        "loops": described,
        "passed_over": passed[:MAX_PASSED],
        "missing": missing,
        "kit": kit.name if request.kit else "",
        "zip": archive.name if request.zip else "",
    }


def _good(
    wanted: Wanted, tracks: Mapping[int, Origin], bpm: float, passed: list[dict[str, Any]]
) -> Iterator[Loop]:
    """Yield loops that are good; the others are added to `passed`, each with why."""
    for place in wanted.places:
        origin = tracks[place.track]
        try:
            loop, sound = _cut(place, wanted.stem, origin, bpm)
            why = loop_seam.fault(sound, loop.seam, is_voice=wanted.stem == VOCALS)
        except MediaError as error:
            why = error.message.replace(str(Path(origin.path)), origin.name)
        if not why:
            yield loop
            continue
        passed.append(
            {"track": place.track, "name": origin.name, "stem": wanted.stem, "beat": place.beat,
             "why": why}
        )  # fmt: skip


def _cut(place: Place, stem: str, origin: Origin, bpm: float = 0.0) -> tuple[Loop, Sound]:
    """Return a loop and its sound.

    Raises
    ------
    MediaError
        The bundle cannot be read, or its grid or stems were changed since the loop was planned.
    """
    if not origin.path:
        raise MediaError("was removed", "restore it")
    bundle = read_bundle(origin.path)
    track = bundle.track
    if track.grid is None:
        raise MediaError("has no beat grid any more", "analyse it again")
    start, frames = cut(track.grid, track.rate, place.beat, place.beats, track.rate)
    if abs(start / track.rate - place.start_s) > MOVED_S:
        raise MediaError("has another grid than planned", "make the loops again")
    if start < 0 or frames < 2 or start + frames > track.frames:
        raise MediaError(f"ends before the loop from beat {place.beat} on does", "try another")
    if stem != WHOLE and stem not in [each.name for each in track.stems]:
        raise MediaError(f"has no stem {stem}", "separate it")
    sound = _read(bundle, stem, start, frames)
    beat, left = frames // place.beats, track.frames - start - frames
    goes_on = left >= beat * min(place.beats, track.grid.beats_per_bar)  # not the music's end
    after = _read(bundle, stem, start + frames, beat if goes_on else 0)
    seam = loop_seam.measure(sound, after, track.rate)
    own = _tempo(track.grid, place, track.rate)
    tempo = nearest(bpm, own) if bpm else own
    if not 1 / MAX_CHANGE <= tempo / own <= MAX_CHANGE:
        raise MediaError(f"has {own:.4g} BPM, too far from {bpm:g}", "name a tempo in the words")
    return Loop(place, stem, origin, bundle, start, frames, seam, own, tempo), sound


def nearest(bpm: float, own: float) -> float:
    """Return a tempo, its half or its double, by which is nearest to another one."""
    return min((bpm / 2, bpm, 2 * bpm), key=lambda each: abs(math.log(each / own)))


def _tempo(grid: Grid, place: Place, rate: int) -> float:
    start, end = grid.frame_of([place.beat, place.beat + place.beats], rate)
    return float(60.0 * place.beats * rate / (end - start))


def _read(bundle: Bundle, stem: str, start: int, count: int) -> Sound:
    only = None if stem == WHOLE else stem
    return Mixdown(bundle, bundle.track.rate, only=only).read(start, count)


def _write_kit(target: Path, loops: Sequence[Loop], progress: Progress) -> None:
    """Write a kit; loops that are stretched are made first, in files beside it."""
    with temporary_directory(target) as folder:
        sources = []
        for pad, loop in enumerate(loops, 1):
            progress(0.5 + 0.5 * (pad - 1) / len(loops), f"writing pad {pad} of {target.name}")
            file = None
            if loop.is_stretched:
                file = folder / f"{pad}.wav"
                soundfile.write(file, at_tempo(loop), loop.rate, "FLOAT")
            sources.append(_on_pad(loop, pad, file))
        write_kit(target, target.name, sources)


def _on_pad(loop: Loop, pad: int, file: Path | None) -> Source:
    """Return the sound of a pad: it loops in time, at the loudness that a deck gives the track.

    Parameters
    ----------
    file : pathlib.Path, optional
        Of a loop that is stretched, which is all of it; None: it is a stretch of the track.
    """
    track, place = loop.bundle.track, loop.place
    per_bar = track.grid.beats_per_bar if track.grid else 4
    return Source(
        pad,
        str(file or loop.bundle.path),
        () if file else loop.stems,
        0 if file else loop.start,
        0 if file else loop.frames,
        10 ** (track.gain_db / 20),
        _label(loop),
        settings={
            "mode": "loop",
            "quantise": QUANTISE[place.beats % per_bar == 0],
            "beats": float(place.beats),
        },
    )


def _label(loop: Loop) -> str:
    """Return what a loop is called: ``Long Way Down - drums - 8 beats - 126 BPM - 8A``."""
    unit = "beat" if loop.place.beats == 1 else "beats"
    parts = [
        (loop.bundle.track.title or loop.origin.name)[:MAX_TITLE],
        "full mix" if loop.stem == WHOLE else loop.stem,
        f"{loop.place.beats} {unit}",
        f"{loop.tempo:.5g} BPM",
        loop.place.key,
    ]
    return " - ".join(filter(None, parts))


def at_tempo(loop: Loop) -> Sound:
    """Return a loop at its tempo, stretched as decks do with keylock: float32[length, 2].

    It is played with what comes before it when it goes round, and its end is faded over to that.
    """
    change = loop.frames / loop.length
    lead_out = min(round(LEAD_S * loop.rate), loop.length)
    lead = min(loop.frames, round(lead_out * change))
    tail = min(loop.frames, round(TAIL_S * loop.rate))
    names = loop.stems
    around = {
        name: np.concatenate([sound[len(sound) - lead :], sound, sound[:tail]])
        for name in names
        for sound in [_round(loop, name)]
    }
    splices, onsets = read_onsets(loop.bundle.path, loop.bundle.track)
    played = stretched(
        around,
        change,
        loop.rate,
        splices=None if splices is None else _wrapped(splices, loop, lead, tail),
        onsets={name: _wrapped(onsets[name], loop, lead, tail) for name in names if name in onsets},
        finer=True,
    )
    made = played[lead_out : lead_out + loop.length]
    return loop_seam.joined(made, played[:lead_out], loop.rate)


def _round(loop: Loop, stem: str) -> Sound:
    """Return a stem of a loop, faded over at its end if it clicks."""
    sound = _read(loop.bundle, stem, loop.start, loop.frames)
    if not loop.seam.clicks:
        return sound
    lead = min(loop.start, round(loop_seam.JOIN_S * loop.rate))
    before = _read(loop.bundle, stem, loop.start - lead, lead)
    return loop_seam.joined(sound, before, loop.rate)


def _wrapped(frames: NDArray[Any], loop: Loop, lead: int, tail: int) -> NDArray[np.float64]:
    """Return places of the track in a loop that goes round, `lead` before and `tail` behind it."""
    inside = np.asarray(frames, np.float64) - loop.start
    inside = inside[(inside >= 0) & (inside < loop.frames)]
    before = inside[inside >= loop.frames - lead] - loop.frames
    behind = inside[inside < tail] + loop.frames
    return np.concatenate([before, inside, behind]) + lead


# ---------------------------------------------------------------------- zip


def _write_zip(
    target: Path,
    loops: Sequence[Loop],
    described: Sequence[dict[str, Any]],
    form: str,
    progress: Progress,
) -> None:
    """Write a zip, one loop after another, and `INFO` last."""
    with (
        _naming(target),
        atomic_file(target) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,
    ):
        for loop, values in zip(loops, described, strict=True):
            values["file"] = safe_name(f"{values['pad']:02} {_label(loop)}.{form}")
            progress(0.5 + 0.5 * values["pad"] / len(loops), f"writing {values['file']}")
            sound = at_tempo(loop) if loop.is_stretched else _round(loop, loop.stem)
            is_joined = loop.is_stretched or loop.seam.clicks
            values["joined_ms"] = 1000 * loop_seam.JOIN_S if is_joined else 0.0
            is_exact = (
                len(loop.stems) == 1 and loop.bundle.track.pcm == "s16" and not loop.is_stretched
            )
            archive.writestr(_entry(values["file"]), _encoded(sound, loop.rate, form, is_exact))
        text = json.dumps({"version": VERSION, "loops": described}, indent=2, ensure_ascii=False)
        archive.writestr(_entry(INFO), text + "\n")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, ZIP_TIME)
    entry.external_attr = 0o644 << 16
    return entry


def _encoded(sound: Sound, rate: int, form: str, is_short: bool) -> bytes:
    """Return a file: 16 bits as in the bundle, else 24 in FLAC and floats in WAV."""
    out = BytesIO()
    if is_short:
        whole: NDArray[Any] = np.clip(np.rint(sound * 32768.0), -32768, 32767).astype(np.int16)
        soundfile.write(out, whole, rate, "PCM_16", format=form.upper())
    else:
        subtype = "PCM_24" if form == "flac" else "FLOAT"
        soundfile.write(out, sound, rate, subtype, format=form.upper())
    return out.getvalue()


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MediaError(
            f'"{target}" cannot be written: {error.strerror}', "check the free space and the rights"
        ) from None
