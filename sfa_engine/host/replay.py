"""A journal rendered again: the same kernel, the same state, the same commands at the same ticks.

A segment is what one host played; each is rendered by itself, from the state that its host found.
The frames between two, which nobody played, are silence. Tracks and sounds of pads are found by
path and digest; one that is gone is a silent one of the same length and grid, so that everything
else goes on as it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.desk import DESK
from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.effects import KIND_NAMES
from sfa_engine.engine.command import NO_OP, Handover, Op, ReportKind, Ring
from sfa_engine.engine.journal import Entry, Journal, Segment, put_state
from sfa_engine.engine.layout import (
    DECKS,
    LAYOUT,
    STRIPS,
    TAP_DECK,
    TAP_MASTER,
    TAP_STEM,
    TICK,
    VALUE_INDEX,
)
from sfa_engine.engine.ring import CommandWriter
from sfa_engine.errors import EngineError, MediaError, SfaError
from sfa_engine.host import build
from sfa_engine.host.loader import Loader
from sfa_engine.host.offline import Audio, Offline
from sfa_engine.host.pads import Pads, Sample, Sound, digest_of
from sfa_engine.host.taps import Taps
from sfa_engine.track.media import StemFile, read_bundle
from sfa_engine.track.wav import PCM

PIECE = 128 * TICK  # frames that are rendered at a time
KINDS = {VALUE_INDEX[s.kind.path]: s.kind.path for u in DESK.fx.values() for s in u.slot.values()}
USER_EFFECT = KIND_NAMES.index("user")
NO_USER_EFFECTS = "user effects are not rendered"
MASTER = "master"
NOT_TAKEN = 1 << 62  # commands, after which a sound may go: the kernel has not come by it yet
Pieces = dict[str, Audio]


def source_names(*, stems: bool) -> dict[str, int]:
    """Return what can be rendered, and the tap of each: the master, and each deck and stem."""
    names = {MASTER: TAP_MASTER}
    if stems:
        for deck in range(DECKS):
            names[f"deck{deck + 1}"] = TAP_DECK + deck
            for number, stem in enumerate(STEMS):
                names[f"deck{deck + 1}.{stem}"] = TAP_STEM + deck * STRIPS + number
    return names


class _Tracks(Loader):
    """The loader of a replay: it puts tracks into the slots that they had."""

    def __init__(self, offline: Offline, say: Any) -> None:
        super().__init__(offline.dsp)
        self._say = say
        self._slot = 0
        self._missing: set[str] = set()
        self._digests: dict[int, str] = {}  # by slot

    def _claim(self) -> int:
        return self._slot

    def taken(self) -> None:
        """Note that the kernel has come by all that was put into slots: what it left may go."""
        for mounted in self._mounted.values():
            mounted.handed = True

    def put(self, load: Entry) -> None:
        """Put a track of the journal into its slot, as the live loader did."""
        self.free()
        track = load["track"]
        slot = int(load["slot"])
        if track is None or slot < 0 or slot in self._mounted:
            return
        self._slot = slot
        pcm = self._pcm(load, track)
        splices = track["splices"]
        mounted = self._mount(
            pcm,
            int(track["frames"]),
            float(track["rate"]),
            float(track["gain"]),
            int(track["key"]),
            None,
            None if splices is None else np.frombuffer(splices, np.float64),
            {stem: np.frombuffer(x, np.int64) for stem, x in track["onsets"].items()},
        )
        self._digests[slot] = str(track.get("digest", ""))
        mounted.beats = np.frombuffer(track["beats"], np.float64)
        media = self._dsp.record["media"][slot]
        media["beats"] = len(mounted.beats)
        media["beats_address"] = mounted.beats.ctypes.data if len(mounted.beats) else 0
        media["first_beat"] = track["first_beat"]
        media["beats_per_bar"] = track["beats_per_bar"]
        self._set_ready(slot, 0, int(track["frames"]))
        mounted.filled.set()

    def _pcm(self, load: Entry, track: Entry) -> dict[str, npt.NDArray[np.generic]]:
        """Return a track's sound: from memory if a deck has it, from its bundle, or none."""
        if load["how"] == Handover.SAME:
            there = self.in_slot(int(load["x"]))
            return {} if there is None else there.pcm
        digest = str(track.get("digest", ""))
        for slot, mounted in self._mounted.items():
            if digest and mounted.pcm and self._digests.get(slot) == digest:
                return mounted.pcm
        try:
            return self._read(track)
        except MediaError as error:
            title = str(track.get("title") or track.get("path") or "a track")
            if title not in self._missing:
                self._missing.add(title)
                self._say(f'"{title}" is silent: {error}')
            return {}

    def _read(self, track: Entry) -> dict[str, npt.NDArray[np.generic]]:
        if not track.get("path"):
            raise MediaError("it was in memory alone")
        bundle = read_bundle(Path(track["path"]))
        if bundle.track.digest != track["digest"]:
            raise MediaError(f"{track['path']} has another sound by now", "restore the old one")
        pcm: dict[str, npt.NDArray[np.generic]] = {}
        for stem, file in zip(bundle.track.stems, bundle.stems, strict=True):
            try:
                array = np.fromfile(
                    file.path, file.dtype, 2 * file.frames, offset=file.offset_bytes
                )
            except OSError as error:
                raise MediaError(f"{file.path}: {error.strerror}", "check the disk") from None
            pcm[stem.name] = array.reshape(-1, 2)
        return pcm


class _Pads(Pads):
    """The pads of a replay: it puts sounds into the slots that they had."""

    def __init__(self, offline: Offline, loader: Loader, say: Any) -> None:
        super().__init__(offline.memory, offline.dsp, loader)
        self._say = say

    def taken(self) -> None:
        """Note that the kernel has come by all that was put into slots."""
        for sample in self._samples.values():
            sample.sent = 0

    def put(self, entry: Entry) -> None:
        """Put a sound of the journal into its slot; without one, its pad is cleared."""
        self.free()
        kept = entry["sound"]
        if kept is None:
            return
        names = ("path", "start", "frames", "gain", "label", "color")
        sound = Sound(**{name: kept[name] for name in names}, stems=tuple(kept["stems"]))
        try:
            if not sound.path:
                raise MediaError("it was in memory alone")
            sample = self._read(sound)
            if digest_of(sample.pcm) != kept["digest"]:
                raise MediaError(f"{sound.path} has another sound by now", "restore the old one")
        except SfaError as error:
            name = f' "{sound.label}"' if sound.label else ""
            self._say(f"pad {entry['pad'] + 1}{name} is silent: {error}")
            frames, dtype = int(kept["in_memory"]), PCM["f32" if kept["float32"] else "s16"]
            pcm = self._loader.allocate(StemFile(Path(), 0, frames, dtype))
            sample = Sample(pcm, int(kept["first"]), int(kept["length"]), float(kept["rate"]))
        sample.sent = NOT_TAKEN
        self._mount(int(entry["slot"]), sample, sound.gain)


class Replay:
    """Renders a journal.

    Parameters
    ----------
    journal : Journal
    stems : bool
        Every deck and stem as well.

    Attributes
    ----------
    warnings : list of str
        What is not as it was played, as far as it is known by now.
    frames : int
        Length of the whole.
    rate : int
        Frames a second; of the first segment.

    Raises
    ------
    MediaError
        Nothing of it can be rendered.
    """

    def __init__(self, journal: Journal, *, stems: bool = False) -> None:
        self._journal = journal
        self.names = source_names(stems=stems)
        self.warnings: list[str] = []
        self._segments = [s for s in journal.segments if s.end_frame > s.first_frame]
        if not self._segments:
            raise MediaError("has nothing that was played", "see `sfa journal list`")
        self.rate = round(self._segments[0].rate)
        if journal.damage:
            self._warn(f"the journal was damaged: {journal.damage}; what is before is rendered")
        for segment in self._segments[1:]:
            if round(segment.rate) != self.rate:
                self._warn(
                    f"the device changed to {segment.rate:g} Hz: the set is rendered up to there"
                )
                self._segments = self._segments[: self._segments.index(segment)]
                break
        self.first = self._segments[0].first_frame
        self.frames = self._segments[-1].end_frame - self.first
        self._check()

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def _check(self) -> None:
        """Say what is known to differ before anything is rendered."""
        here = build.provenance()
        for segment in self._segments:
            if segment.host["kernel"] != here["kernel"]:
                self._warn("another version of the kernel played this: samples may differ")
            elif segment.host["cpu"] != here["cpu"]:
                self._warn(
                    f"it was played on {segment.host['cpu']}, and this is {here['cpu']}: "
                    "samples may differ in their last bits"
                )
            if segment.lost:
                self._warn(f"{segment.lost} reports were lost: what follows them may differ")
            lacking = segment.of_kind(ReportKind.STARVED)
            for deck in sorted({int(d) for d in lacking["deck"]}):
                frames = int(lacking["value"][lacking["deck"] == deck].sum())
                self._warn(
                    f"deck {deck + 1}: {frames} frames were not in memory in time when this was "
                    "played, and are rendered"
                )

    def pieces(self) -> Iterator[Pieces]:
        """Yield the sound piece by piece, by name: float32[frames, 2]."""
        at = self.first
        for number, segment in enumerate(self._segments):
            yield from self._silence(segment.first_frame - at)
            at = max(at, segment.first_frame)
            last = number == len(self._segments) - 1
            until = segment.end_frame
            if not last:
                until = min(until, self._segments[number + 1].first_frame)
            for piece in self._play(segment, until):
                yield piece
                at += len(piece[MASTER])

    def _silence(self, frames: int) -> Iterator[Pieces]:
        while frames > 0:
            count = min(frames, PIECE)
            yield {name: np.zeros((count, 2), np.float32) for name in self.names}
            frames -= count

    def _play(self, segment: Segment, until: int) -> Iterator[Pieces]:
        """Yield what a segment played, up to a frame."""
        offline = Offline(segment.rate, 2, PIECE)
        engine = offline.memory.engine
        self._restore(offline, segment)
        tracks = _Tracks(offline, self._warn)
        pads = _Pads(offline, tracks, self._warn)
        writers = {ring: CommandWriter(offline.memory, ring) for ring in Ring}
        taps = Taps(offline.dsp, PIECE)
        for number in self.names.values():
            taps.open(number, PIECE)
        at = segment.first_frame
        for report in segment.of_kind(ReportKind.TAKEN, ReportKind.BEGUN):
            # Of a device that was opened again, up to the frame that was to be the next.
            begun = report["kind"] == ReportKind.BEGUN
            frame = int(report["value"] if begun and at > segment.first_frame else report["frame"])
            for piece in self._render(offline, taps, at, min(frame, until)):
                tracks.taken()
                pads.taken()
                yield piece
                at += len(piece[MASTER])
            if at >= until:
                return
            if begun:
                frame = int(report["frame"])
                yield from self._silence(min(frame, until) - at)
                at = frame
                engine["frame"] = engine["emitted"] = frame
                engine["fresh"] = 1
                continue
            self._send(segment, tracks, pads, writers, report)
            offline.reported()
        for piece in self._render(offline, taps, at, until):
            yield piece

    def _render(self, offline: Offline, taps: Taps, at: int, until: int) -> Iterator[Pieces]:
        """Render up to a frame; ticks are whole, so only the last piece of all may be cut."""
        while at < until:
            count = min(PIECE - at % PIECE, until - at)
            whole = -(-count // TICK) * TICK
            offline.render(whole)
            yield {
                name: taps.read(number, at, at + count)[0] for name, number in self.names.items()
            }
            at += count

    def _restore(self, offline: Offline, segment: Segment) -> None:
        """Give the engine the state that a host found."""
        if segment.host["layout"] == LAYOUT:
            put_state(offline.memory, segment.host["state"])
        else:
            self._warn("another version played this: it is rendered from a desk at rest")
        engine = offline.memory.engine
        if any(offline.memory.value(path) == USER_EFFECT for path in KINDS.values()):
            self._warn(NO_USER_EFFECTS)
        engine["resuming"] = 0
        engine["fresh"] = 1
        engine["frame"] = engine["emitted"] = segment.first_frame

    def _send(
        self,
        segment: Segment,
        tracks: _Tracks,
        pads: _Pads,
        writers: dict[Ring, CommandWriter],
        report: np.void,
    ) -> None:
        """Put a command on its ring, to be read at the next tick."""
        op, target = self._translate(int(report["op"]), int(report["target"]))
        ring = Ring(int(report["ring"]))
        if op == Op.SAMPLE and ring is Ring.HOST:
            entry = segment.pads.get(int(report["ticket"]))
            if entry is None:
                self._warn(f"pad {int(report['x']) + 1}: its sound is not in the journal")
                return
            pads.put(entry)
        if op == Op.SET and target in KINDS and report["x"] == USER_EFFECT:
            self._warn(NO_USER_EFFECTS)
        if op == Op.LOAD and ring is Ring.HOST:
            load = segment.loads.get(int(report["ticket"]))
            if load is not None:
                tracks.put(load)
            elif target >= 0:
                self._warn("a load whose track is not in the journal is left out")
                return
        done = writers[ring].write(
            op,
            int(report["deck"]),
            target,
            float(report["x"]),
            int(report["source"]),
            y=float(report["y"]),
            when=int(report["when"]),
            clock=int(report["clock"]),
            frame=int(report["at"]),
            ticket=int(report["ticket"]) or -1,
        )
        if not done:
            raise EngineError("a ring of the replay is full", "this is a bug: report it")

    def _translate(self, op: int, target: int) -> tuple[int, int]:
        """Return an operation and a target as they are numbered here."""
        if self._journal.is_of_this_layout:
            return op, target
        name = self._journal.name_of_op(op)
        if op == Op.SET:
            path = self._journal.path_of_value(target)
            if path not in VALUE_INDEX:
                self._warn(f"there is no control {path} here: it is left out")
            return op, VALUE_INDEX.get(path, -1)
        if name not in Op.__members__:
            self._warn(f"there is no operation {name or op} here: it is left out")
            return NO_OP, target
        return int(Op[name]), target
