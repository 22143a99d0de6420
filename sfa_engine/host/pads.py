"""The sounds of the sampler's pads: read into memory, handed to the kernel, freed when let go.

What a pad plays is written down in the engine's memory as a stretch of a file, so that a new host
reads it again, and in the journal with a digest, so that a replay has it. Sound that is in no file,
as what was captured, is written into one in the data folder first. As tracks are, it is read into
locked memory of our own: see `host.loader`.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.desk import PADS_IN_BANK
from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import PADS, PATH, SAMPLES
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, MediaError, Refused, did_you_mean
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.elementary import factor_of
from sfa_engine.host.loader import RESERVE_BYTES, Loader, Reader, available_bytes, read_onsets
from sfa_engine.host.request_server import in_words
from sfa_engine.system.atomic import sync
from sfa_engine.track.kit import check_length, sound_files, surroundings
from sfa_engine.track.media import Bundle, StemFile, Track, read_bundle
from sfa_engine.track.slices import By, Slice, by_beats, by_onsets
from sfa_engine.track.wav import PCM, wav_header

MAX_BYTES = 1 << 30  # of all pads
SOUNDS_FOLDER = "pads"  # in the data folder: sounds that were captured or decoded for pads
KEPT_BYTES = 1 << 30  # of the files in it: the oldest go first, none that is on a pad
DIGEST_BYTES = 16
NAME_LENGTH = 60  # of a track, in the label of its slices: as of a file
WHOLE = "all"  # instead of a stem's name: all stems together


@dataclass(frozen=True)
class Sound:
    """What a pad plays, as it is written down.

    Attributes
    ----------
    path : str
        Of a WAV file, or of a bundle where stems are named.
    stems : tuple of str
        Of the bundle, added up.
    start, frames : int
        The stretch of it; 0 frames: all of it.
    gain : float
        A factor.
    label, color : str
        For surfaces; may be empty.
    """

    path: str
    stems: tuple[str, ...] = ()
    start: int = 0
    frames: int = 0
    gain: float = 1.0
    label: str = ""
    color: str = ""


@dataclass
class Sample:
    """A sound in memory.

    Attributes
    ----------
    pcm : ndarray[frames, 2]
        What the kernel reads; kept here as long as it may.
    first, length : int
        Frames of it that are the pad's own.
    rate : float
    sent : int
        Number of the command that took it off its pad, or put it there; 0: none was sent.
    """

    pcm: npt.NDArray[np.generic]
    first: int
    length: int
    rate: float
    sent: int = field(default=0)


class Pads:
    """Owns the sample slots of a dsp.

    Parameters
    ----------
    memory : Memory
    dsp : DspState
    loader : Loader
        Of the same dsp: its ring and its memory are used.
    folder : pathlib.Path, optional
        Where sound that is in no file is kept. Without one, of an engine without a device, it is
        kept nowhere, and no load waits for the kernel.
    """

    def __init__(
        self, memory: Memory, dsp: DspState, loader: Loader, folder: Path | None = None
    ) -> None:
        self._memory = memory
        self._dsp = dsp
        self._loader = loader
        self._folder = folder
        self._samples: dict[int, Sample] = {}
        self._slots: dict[int, int] = {}  # by pad, as they were sent; -1: none
        self._errors: dict[int, str] = {}
        self._mutex = threading.RLock()

    # ------------------------------------------------------------------ load

    def load(self, pad: int, sound: Sound) -> dict[str, Any]:
        """Read a sound and put it on a pad (from 0); return when the kernel has it.

        Raises
        ------
        MediaError
            It cannot be read, is empty, or too long.
        EngineError
            There is not the memory for it.
        """
        _check_pad(pad)
        if len(os.fsencode(sound.path)) >= PATH:
            raise Refused(f"the path has {len(os.fsencode(sound.path))} bytes", "use a shorter one")
        with self._mutex:
            sample = self._read(sound)
            self._put(pad, sample, sound)
        path = Path(sound.path)
        if path.parent == self._folder:
            self._kept(path)
        return self.describe(pad)

    def load_pcm(
        self,
        pad: int,
        frames: npt.NDArray[np.generic],
        rate: float,
        *,
        name: str = "sound",
        label: str = "",
        color: str = "",
    ) -> dict[str, Any]:
        """Put sound that is in memory on a pad (from 0); it is kept in a file.

        Parameters
        ----------
        pad : int
        frames : float32 or int16[n, 2]
            What is no number becomes silence.
        rate : float
            Frames a second.
        name : str
            Of the file, behind its time.
        label, color : str
            For surfaces.

        Raises
        ------
        MediaError
            The file cannot be written; the pad is as it was.
        """
        _check_pad(pad)
        if frames.ndim != 2 or frames.shape[1] != 2 or frames.dtype not in (np.float32, np.int16):
            raise Refused(f"sound of shape {frames.shape} and {frames.dtype}", "give stereo PCM")
        check_length(len(frames), rate, label or "the sound")
        self._check_room(frames.nbytes)
        form = StemFile(Path(), 0, len(frames), frames.dtype)
        pcm = self._loader.allocate(form)
        pcm[:] = np.nan_to_num(frames, nan=0.0, posinf=0.0, neginf=0.0)
        path = self._keep(name, pcm, rate)
        with self._mutex:
            sample = Sample(pcm, 0, len(pcm), rate)
            self._put(pad, sample, Sound(str(path or ""), label=label, color=color))
        if path is not None:
            self._kept(path)
        return self.describe(pad)

    def _keep(self, name: str, pcm: npt.NDArray[np.generic], rate: float) -> Path | None:
        """Write sound into a file, for a new host and for replays; return its path."""
        if self._folder is None:
            return None
        kind = next(each for each, dtype in PCM.items() if dtype == pcm.dtype)
        now = time.strftime("%Y%m%d-%H%M%S")
        path = self._folder / f"{now}-{time.time_ns() // 1000 % 10**6:06d} {name}.wav"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(wav_header(len(pcm), round(rate), kind))
                file.write(pcm.data)
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise MediaError(f"{path}: {error.strerror}", "free some space on the disk") from None
        return path

    def clear(self, pad: int) -> None:
        """Take the sound off a pad (from 0); it fades out if it is heard."""
        _check_pad(pad)
        with self._mutex:
            self._put(pad, None, Sound(""))

    def _put(self, pad: int, sample: Sample | None, sound: Sound) -> None:
        """Give a pad a sample, or none, and write down where it is from."""
        slot = -1
        if sample is not None:
            slot = self._claim()
            self._mount(slot, sample, sound.gain)
        before = int(self._dsp.record["pad"][pad]["slot"])
        try:
            note = pad_note(pad, slot, sound, sample) if self._loader.on_send else None
            sent = self._loader.command(Op.SAMPLE, slot, float(pad), note)
        except EngineError:
            self._samples.pop(slot, None)
            raise
        for each in (slot, before):
            if each in self._samples:
                self._samples[each].sent = sent
        self._write_down(pad, sound)
        self._slots[pad] = slot
        self._errors.pop(pad, None)
        if self._folder is not None:
            self._loader.wait_done(sent, "the pad's sound")

    def _mount(self, slot: int, sample: Sample, gain: float) -> None:
        """Describe a sample in a slot, for the kernel."""
        self._samples[slot] = sample
        record = self._dsp.record["sample"][slot]
        record["heads"] = 0
        record["address"] = sample.pcm.ctypes.data
        record["float32"] = sample.pcm.dtype == np.float32
        record["frames"] = len(sample.pcm)
        record["first"] = sample.first
        record["length"] = sample.length
        record["rate"] = sample.rate
        record["gain"] = gain

    def _write_down(self, pad: int, sound: Sound) -> None:
        record = self._memory.engine["pad"][pad]
        record["path"] = b""  # a host that starts now reads none rather than half of two
        record["stems"] = sum(1 << STEMS.index(name) for name in sound.stems)
        record["start"] = sound.start
        record["frames"] = sound.frames
        record["gain"] = sound.gain
        record["label"] = sound.label.encode()[:800]
        record["color"] = sound.color.encode()[:8]
        record["path"] = os.fsencode(sound.path)

    def _kept(self, path: Path) -> None:
        """Have a file of the folder on the disk; delete the oldest beyond `KEPT_BYTES`.

        A pad that sounds is not kept waiting for the disk: it has its sound by then.
        """
        with suppress(OSError):
            sync(path)
        found = []
        for each in path.parent.glob("*.wav"):
            with suppress(OSError):
                status = each.stat()
                found.append((status.st_mtime_ns, status.st_size, each))
        left = KEPT_BYTES
        played = {self._written(pad).path for pad in range(PADS)}
        for _, size, each in sorted(found, reverse=True):
            left -= size
            if left < 0 and str(each) not in played:
                with suppress(OSError):
                    each.unlink()

    def name(self, pad: int, label: str | None, color: str | None) -> None:
        """Set what surfaces show of a pad (from 0); None leaves it."""
        _check_pad(pad)
        record = self._memory.engine["pad"][pad]
        if label is not None:
            record["label"] = label.encode()[:800]
        if color is not None:
            record["color"] = color.encode()[:8]

    # ------------------------------------------------------------------ slots

    def _claim(self) -> int:
        self.free()
        for slot in range(SAMPLES):
            if slot not in self._samples:
                return slot
        raise EngineError("too many replaced sounds are still heard", "stop some pads")

    def free(self) -> None:
        """Give back the memory of sounds that are on no pad and that nothing reads."""
        with self._mutex:
            done = self._loader.done
            slots = self._dsp.record["pad"]["slot"]
            for slot, sample in list(self._samples.items()):
                if sample.sent > done or slot in slots:
                    continue
                if self._dsp.record["sample"][slot]["heads"] == 0:
                    del self._samples[slot]

    def beginnings(self) -> list[npt.NDArray[np.generic]]:
        """Return the sounds on the pads, from where they begin, to be kept warm."""
        slots = self._dsp.record["pad"]["slot"].tolist()
        found = [self._samples.get(slot) for slot in slots]
        return [sample.pcm[sample.first :] for sample in found if sample is not None]

    def ahead(self) -> list[npt.NDArray[np.generic]]:
        """Return what the sounds that are heard have before them, as far as they play forwards."""
        sounds = self._dsp.record["sound"]
        found = []
        for slot, position in zip(sounds["slot"].tolist(), sounds["position"], strict=True):
            sample = self._samples.get(slot)
            if sample is not None and 0 <= position < len(sample.pcm):
                found.append(sample.pcm[int(position) :])
        return found

    # ------------------------------------------------------------------ read

    def _read(self, sound: Sound) -> Sample:
        """Read a sound into memory."""
        path = Path(sound.path)
        rate, stems = sound_files(path, sound.stems)
        start, frames, low, high = surroundings(sound.start, sound.frames, stems[0].frames)
        check_length(frames, rate, str(path))
        self._check_room((high - low) * (8 if len(stems) > 1 else 2 * stems[0].dtype.itemsize))
        pcm = self._stretch(stems[0], low, high)
        if len(stems) > 1:
            form = replace(stems[0], dtype=PCM["f32"], frames=high - low)
            mixed: npt.NDArray[Any] = self._loader.allocate(form)
            mixed[:] = 0.0
            for stem in stems:
                one: npt.NDArray[Any] = self._stretch(stem, low, high)
                mixed += one if one.dtype == np.float32 else one / np.float32(32768.0)
            pcm = mixed
        return Sample(pcm, start - low, frames, rate)

    def _stretch(self, stem: StemFile, low: int, high: int) -> npt.NDArray[np.generic]:
        """Read the frames from low up to high of a file into locked memory."""
        frame_bytes = 2 * stem.dtype.itemsize
        part = replace(stem, offset_bytes=stem.offset_bytes + low * frame_bytes, frames=high - low)
        pcm = self._loader.allocate(part)
        reader = Reader({"": part}, {"": pcm})
        try:
            reader.read(0, high - low)
        finally:
            reader.close()
        return pcm

    def _check_room(self, size: int) -> None:
        used = sum(sample.pcm.nbytes for sample in self._samples.values())
        spare = min(MAX_BYTES - used, available_bytes() - RESERVE_BYTES)
        if size > spare:
            raise EngineError(
                f"the sound needs {size >> 20} MB of memory and {max(0, spare) >> 20} MB are left "
                "for pads",
                "clear other pads, or load a shorter one",
            )

    # ------------------------------------------------------------------ slices

    def slice(
        self,
        path: str,
        stem: str,
        by: By,
        count: int,
        first_pad: int,
        *,
        start_s: float = 0.0,
        beats: float = 1.0,
        grid_of: npt.NDArray[np.float64] | None = None,
    ) -> list[dict[str, Any]]:
        """Put slices of a bundle's stem on pads, one after another; return them.

        Parameters
        ----------
        path : str
            Of the bundle.
        stem : str
            Its name, or `WHOLE`.
        by : {"beat", "onset"}
        count : int
            Of slices.
        first_pad : int
            From 0.
        start_s : float
            Where the first one begins, about.
        beats : float
            Length of a slice by beats.
        grid_of : float64[n], optional
            Beats that are newer than the bundle's, in track frames.
        """
        _check_pad(first_pad)
        if first_pad + count > PADS:
            raise Refused(
                f"{count} slices from pad {first_pad + 1} on end behind pad {PADS}",
                f"give up to {PADS - first_pad}",
            )
        track = read_bundle(Path(path)).track
        chosen = _stems(track, stem)
        start = start_s * track.rate
        if by == "beat":
            grid = grid_of
            if grid is None and track.grid is not None:
                grid = track.grid.beats(track.frames, track.rate)
            if grid is None or len(grid) < 2:
                raise Refused("the track has no beat grid", "slice it by onset, or analyse it")
            found = by_beats(grid, start, beats, count, track.frames)
        else:
            splices, onsets = read_onsets(Path(path), track)
            marks = onsets.get(stem) if stem != WHOLE else None
            if marks is None and splices is not None:
                marks = splices.astype(np.int64)
            if marks is None or not len(marks):
                raise Refused("the onsets of the track are not known", "slice it by beat")
            found = by_onsets(marks, start, count, track.frames, track.rate)
        if not found:
            raise Refused("there is nothing to slice from there on", "begin earlier in the track")
        gain = factor_of(track.gain_db)
        name = _name(track, chosen)
        return [
            self.load(first_pad + n, self._slice(path, chosen, each, gain, f"{name} {n + 1}"))
            for n, each in enumerate(found)
        ]

    def load_stretch(
        self, pad: int, bundle: Bundle, stem: str, start_s: float, end_s: float
    ) -> dict[str, Any]:
        """Put a stretch of a bundle on a pad (from 0): a loop.

        Parameters
        ----------
        pad : int
        bundle : Bundle
        stem : str
            Its name, or `WHOLE`.
        start_s, end_s : float
            In the track.
        """
        track = bundle.track
        start = max(0, round(start_s * track.rate))
        frames = min(track.frames, round(end_s * track.rate)) - start
        if frames < 1:
            raise Refused("the loop lies outside the track", "set another one")
        each = Slice(start, frames)
        gain = factor_of(track.gain_db)
        path = str(bundle.path.resolve())
        chosen = _stems(track, stem)
        label = f"{_name(track, chosen)} loop"
        return self.load(pad, self._slice(path, chosen, each, gain, label))

    @staticmethod
    def _slice(path: str, stems: tuple[str, ...], each: Slice, gain: float, label: str) -> Sound:
        return Sound(path, stems, each.start, each.frames, gain, label)

    # ------------------------------------------------------------------ state

    def describe(self, pad: int) -> dict[str, Any]:
        """Return what is on a pad (from 0)."""
        sound = self._written(pad)
        sample = self._samples.get(self._slots.get(pad, -1))
        return {
            "pad": pad + 1,
            "bank": pad // PADS_IN_BANK + 1,
            "loaded": sample is not None,
            "path": sound.path,
            "stems": list(sound.stems),
            "start": sound.start,
            "frames": sound.frames,
            "seconds": sample.length / sample.rate if sample else 0.0,
            "gain": sound.gain,
            "label": sound.label,
            "color": sound.color,
            "error": self._errors.get(pad, ""),
        }

    def errors(self) -> dict[str, str]:
        """Return why pads are empty that had a sound in the host before, by their number."""
        return {str(pad + 1): error for pad, error in sorted(self._errors.items())}

    def _written(self, pad: int) -> Sound:
        record = self._memory.engine["pad"][pad]
        bits = int(record["stems"])
        return Sound(
            os.fsdecode(bytes(record["path"])),
            tuple(name for number, name in enumerate(STEMS) if bits >> number & 1),
            int(record["start"]),
            int(record["frames"]),
            float(record["gain"]),
            bytes(record["label"]).decode(errors="ignore"),
            bytes(record["color"]).decode(errors="ignore"),
        )

    def resume(self) -> None:
        """Load what the previous host had on its pads; one that is gone leaves its pad empty."""
        for pad in range(PADS):
            sound = self._written(pad)
            with self._mutex:
                if not sound.path or pad in self._slots:  # it was loaded anew meanwhile
                    continue
                try:
                    sample = self._read(sound)
                    self._put(pad, sample, sound)
                except Exception as error:  # noqa: BLE001 - whatever it is, the others are loaded
                    self._errors[pad] = str(in_words(error))


def pad_note(pad: int, slot: int, sound: Sound, sample: Sample | None) -> dict[str, Any]:
    """Return what the journal keeps of a sound that is put on a pad, or of its removal."""
    note: dict[str, Any] = {"kind": "pad", "pad": pad, "slot": slot}
    if sample is None:
        return note | {"sound": None}
    return note | {
        "sound": {
            **asdict(sound),
            "digest": digest_of(sample.pcm),
            "float32": sample.pcm.dtype == np.float32,
            "in_memory": len(sample.pcm),
            "first": sample.first,
            "length": sample.length,
            "rate": sample.rate,
        }
    }


def digest_of(pcm: npt.NDArray[np.generic]) -> str:
    """Return a digest of sound in memory, by which a replay knows it again."""
    return hashlib.blake2b(pcm.data, digest_size=DIGEST_BYTES).hexdigest()


def _stems(track: Track, stem: str) -> tuple[str, ...]:
    """Return the stems of a track that a name means."""
    names = tuple(each.name for each in track.stems)
    if stem == WHOLE:
        return names
    if stem not in names:
        raise Refused(
            f'the track has no stem "{stem:.40}"',
            did_you_mean(stem, names) or f"it has {', '.join((*names, WHOLE))}",
        )
    return (stem,)


def _name(track: Track, chosen: tuple[str, ...]) -> str:
    """Return what slices of stems are called: as the stem or, of the whole track, as the track."""
    if chosen != tuple(each.name for each in track.stems):
        return chosen[0]
    return track.title[:NAME_LENGTH] or WHOLE


def _check_pad(pad: int) -> None:
    if not 0 <= pad < PADS:
        raise Refused(f"no pad {pad + 1}", f"there are {PADS}")
