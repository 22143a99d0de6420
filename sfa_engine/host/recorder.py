"""The recording of a set: a thread that drains the taps into files.

::

    kernel ──► rings of the taps ──► every STEP_S: append ──► NAME.flac, NAME.deck1.vocals.flac …
               tracks on the decks ─────────────────────────► NAME.cue, NAME.txt

It begins in the past, as far as the rings go. All files of a recording begin with the same frame of
the mix: the master is read `LATENCY` frames later, as the limiter looks ahead. A deck or a stem has
a file from its first sound on, with silence before. What a ring has lost is silence, and counted.
A disk that takes no more ends the recording, and nothing else.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.desk import DECK_NUMBERS
from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.audible import is_audible
from sfa_engine.engine.layout import DECKS, LATENCY, STRIPS, TAP_DECK, TAP_MASTER, TAP_STEM
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.set_list import ENOUGH_S, Played, cue_sheet, track_list
from sfa_engine.errors import EngineError, MediaError, Refused
from sfa_engine.host.sound_file import GONE, SUFFIXES, SoundFile, form_of, open_sound
from sfa_engine.host.taps import Taps
from sfa_engine.system import log

STEP_S = 0.25  # between two looks at the rings
COMMIT_S = 1.0  # between two waits for the disk: what a power cut costs
PIECE_S = 1.0  # that is read at a time
RING_S = 6.0  # of a tap that is opened for a recording
RESERVE_BYTES = 64 << 20  # left on the disk, for the library and the journal
MAX_PREROLL_S = 30.0
MASTER = "master"
Track = dict[str, Any]


@dataclass(frozen=True)
class RecordSettings:
    """How is recorded unless the request says otherwise.

    Parameters
    ----------
    folder : pathlib.Path
    form : str
        ``flac``, ``wav`` or ``float``.
    preroll_s : float
        How far in the past a recording begins.
    split : bool
        A file for each track.
    """

    folder: Path
    form: str = "flac"
    preroll_s: float = 0.0
    split: bool = False


@dataclass
class _Source:
    """One thing that is recorded."""

    name: str
    tap: int
    delay: int  # frames after the mix
    at: int = 0  # next frame of the mix
    file: SoundFile | None = None


@dataclass
class _Recording:
    """A recording that is going on."""

    target: Path
    form: str
    rate: int
    first: int
    split: bool
    sources: list[_Source]
    part_first: int = 0
    part: int = 1
    parts: list[tuple[Path, int]] = field(default_factory=list)
    tracks: list[Played] = field(default_factory=list)
    bytes_before: int = 0  # of closed files
    lost: int = 0


class _Tracker:
    """Finds when a track becomes audible, for longer than a slip."""

    def __init__(self, memory: Memory, describe: Callable[[int], Track]) -> None:
        self._memory = memory
        self._describe = describe
        self._since: dict[int, tuple[int, int]] = {}  # deck -> ticket of its load, frame
        self._counted: dict[int, int] = {}  # deck -> ticket

    def look(self, frame: int, rate: float) -> list[Played]:
        """Return the tracks that are known to play as of now; each once."""
        found = []
        for deck in DECK_NUMBERS:
            ticket = int(self._memory.engine["transport"][deck - 1]["load_ticket"])
            if not is_audible(self._memory, deck, self._memory.value):
                self._since.pop(deck, None)
                continue
            if self._since.get(deck, (ticket, 0))[0] != ticket:
                del self._since[deck]
            since = self._since.setdefault(deck, (ticket, frame))[1]
            if self._counted.get(deck) != ticket and frame - since >= ENOUGH_S * rate:
                self._counted[deck] = ticket
                track = self._describe(deck - 1)
                if track.get("loaded"):
                    names = (str(track.get(word) or "") for word in ("title", "artist", "path"))
                    found.append(Played(since, deck, *names))
        return sorted(found, key=lambda played: played.frame)

    def pending(self) -> int | None:
        """Return the frame from which a track may play that is not known to yet."""
        frames = [
            frame
            for deck, (ticket, frame) in self._since.items()
            if self._counted.get(deck) != ticket
        ]
        return min(frames, default=None)


class Recorder:
    """Records, one recording at a time.

    Parameters
    ----------
    memory : Memory
    taps : Taps
    settings : RecordSettings
    describe : callable
        Returns the facts of the track on a deck, from 0.
    """

    def __init__(
        self,
        memory: Memory,
        taps: Taps,
        settings: RecordSettings,
        describe: Callable[[int], Track],
    ) -> None:
        self._memory = memory
        self._taps = taps
        self._settings = settings
        self._describe = describe
        self._mutex = threading.Lock()  # over which recording goes on, never while a disk works
        self._recording: _Recording | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._last: dict[str, Any] = {}
        self._state: dict[str, Any] = {}
        self.error = ""

    # ------------------------------------------------------------------ requests

    def start(
        self,
        *,
        decks: bool = False,
        stems: bool = False,
        form: str = "",
        path: str = "",
        split: bool | None = None,
        preroll_s: float | None = None,
    ) -> dict[str, Any]:
        """Begin a recording; return its state.

        Parameters
        ----------
        decks, stems : bool
            Every deck, every stem as well.
        form : str
            ``flac``, ``wav`` or ``float``; empty: as the path or the settings say.
        path : str
            File of the master; empty: a new one in the folder of the settings.
        split : bool, optional
        preroll_s : float, optional
            How far in the past it begins, as far as that is kept.

        Raises
        ------
        Refused
            A recording goes on, or the file exists.
        MediaError
            The file cannot be made.
        """
        target, form = self._target(path, form)
        with self._mutex:
            if self._recording is not None:
                raise Refused(
                    f"a recording goes on: {self._recording.target}",
                    "stop it with `sfa record stop`",
                )
            recording = self._make(target, form, decks=decks, stems=stems, preroll_s=preroll_s)
            recording.split = self._settings.split if split is None else split
            self._recording = recording
        self._stop = threading.Event()
        self.error = ""
        self._state = {}
        try:
            self._check_disk(recording)
            self._open(recording, recording.sources[0])
        except OSError as error:
            self._recording = None
            raise MediaError(
                f"{target} cannot be made: {error.strerror or error}", "choose another folder"
            ) from None
        except BaseException:
            self._recording = None
            raise
        self._thread = threading.Thread(
            target=self._run, args=(recording, self._stop), name="record", daemon=True
        )
        self._thread.start()
        return self.describe()

    def stop(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """End the recording; return its state as it ended.

        Raises
        ------
        Refused
            There is none.
        EngineError
            The disk did not answer in time; the file is whole up to its last part.
        """
        thread = self._thread
        if self._recording is None or thread is None:
            raise Refused("nothing is recorded", "start with `sfa record start`")
        self._stop.set()
        thread.join(timeout_s)
        if thread.is_alive():
            raise EngineError("the disk does not answer", "the recording is whole up to then")
        return self._last

    def end(self) -> None:
        """End the recording if there is one, as the host ends."""
        with suppress(Refused, EngineError):
            self.stop()

    def describe(self) -> dict[str, Any]:
        """Return the state of the recording, or of the last one."""
        recording = self._recording
        if recording is None:
            nothing = {"on": False, "path": "", "time_s": 0.0, "lost": 0, "bytes": 0}
            return {**nothing, **self._last, "error": self.error}
        return {
            "on": True,
            "path": str(recording.target),
            "form": recording.form,
            "first_frame": recording.first + LATENCY,
            "stems": len(recording.sources) > 1 + DECKS,
            "decks": len(recording.sources) > 1,
            "time_s": 0.0,
            "lost": recording.lost,
            "bytes": 0,
            "tracks": len(recording.tracks),
            **self._state,
            "error": self.error,
        }

    # ------------------------------------------------------------------ begin

    def _target(self, path: str, form: str) -> tuple[Path, str]:
        if form and form not in SUFFIXES:
            raise Refused(f'no format "{form:.20}"', f"choose {', '.join(SUFFIXES)}")
        if path:
            try:
                target = Path(path).absolute()
                target.stat()
            except FileNotFoundError:
                pass
            except (OSError, ValueError) as error:
                raise Refused(f"{path!r:.200} is no file: {error}", "choose another") from None
            else:
                raise Refused(f"{target} exists", "choose another name, or move it away")
            if form and not target.suffix:
                target = target.with_name(target.name + SUFFIXES[form])
            return target, form_of(target, form or self._settings.form)
        form = form or self._settings.form
        folder = self._settings.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"{folder}: {error.strerror}", "set record.folder") from None
        name = time.strftime("%Y-%m-%d %H.%M.%S")
        target = folder / f"{name}{SUFFIXES[form]}"
        number = 2
        while target.exists():
            target = folder / f"{name} {number}{SUFFIXES[form]}"
            number += 1
        return target, form

    def _make(
        self, target: Path, form: str, *, decks: bool, stems: bool, preroll_s: float | None
    ) -> _Recording:
        rate = round(float(self._memory.engine["sample_rate"]))
        sources = [_Source(MASTER, TAP_MASTER, LATENCY)]
        if decks or stems:
            sources += [_Source(f"deck{d + 1}", TAP_DECK + d, 0) for d in range(DECKS)]
        if stems:
            sources += [
                _Source(f"deck{d + 1}.{stem}", TAP_STEM + d * STRIPS + s, 0)
                for d in range(DECKS)
                for s, stem in enumerate(STEMS)
            ]
        for source in sources:
            self._taps.open(source.tap, round(RING_S * rate))
        wanted = self._settings.preroll_s if preroll_s is None else preroll_s
        wanted = min(MAX_PREROLL_S, max(0.0, wanted))
        head = self._taps.head
        first = max(head - round(wanted * rate), self._taps.first(TAP_MASTER) - LATENCY, 0)
        first = min(first, head)
        for source in sources:
            source.at = first
        recording = _Recording(target, form, rate, first, split=False, sources=sources)
        recording.part_first = first
        return recording

    def _path(self, recording: _Recording, source: _Source) -> Path:
        """Return the file of a source in the present part."""
        target = recording.target
        name = target.stem if recording.part == 1 else f"{target.stem}-{recording.part:02d}"
        if source.name != MASTER:
            name = f"{name}.{source.name}"
        return target.with_name(name + target.suffix)

    def _open(self, recording: _Recording, source: _Source) -> None:
        path = self._path(recording, source)
        source.file = open_sound(path, recording.form, recording.rate)
        if source.name == MASTER:
            recording.parts.append((path, recording.part_first))

    def _check_disk(self, recording: _Recording) -> None:
        """Raise an error before a disk is full: others need it, too."""
        disk = os.statvfs(recording.target.parent)
        if disk.f_bavail * disk.f_frsize < RESERVE_BYTES:
            raise OSError(28, f"less than {RESERVE_BYTES >> 20} MB are free on the disk")

    # ------------------------------------------------------------------ run

    def _run(self, recording: _Recording, stop: threading.Event) -> None:
        tracker = _Tracker(self._memory, self._describe)
        committed = time.monotonic()
        try:
            while True:
                ending = stop.wait(STEP_S)
                now = time.monotonic()
                commits = now - committed >= COMMIT_S
                self._step(recording, tracker, commits=commits, ending=ending)
                if commits:
                    committed = now
                if ending:
                    break
        except OSError as error:
            is_gone = isinstance(error, FileNotFoundError)  # the folder too: its disk has no name
            self.error = GONE if is_gone else error.strerror or str(error)
            log.write("error", f"the recording ended: {recording.target}: {self.error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the set plays on
            self.error = f"{type(error).__name__}: {error}"
            log.exception(error)
        self._end(recording)

    def _step(
        self, recording: _Recording, tracker: _Tracker, *, commits: bool, ending: bool
    ) -> None:
        """Append what is new; begin another part where a track begins."""
        head = self._taps.head
        for played in tracker.look(int(self._memory.engine["emitted"]), recording.rate):
            known = bool(recording.tracks)
            recording.tracks.append(played)
            if recording.split and known and played.frame > recording.part_first:
                self._append(recording, min(head - LATENCY, played.frame))
                self._close_files(recording)
                recording.part += 1
                recording.part_first = played.frame
                self._open(recording, recording.sources[0])
            self._write_lists(recording)
        limit = head - LATENCY
        pending = tracker.pending() if recording.split and not ending else None
        if pending is not None:  # it may be where the next part begins
            limit = min(limit, max(pending, recording.sources[0].at))
        self._append(recording, limit)
        if commits:
            self._check_disk(recording)
            for source in recording.sources:
                if source.file is not None:
                    source.file.commit()
        self._note_state(recording)

    def _append(self, recording: _Recording, until: int) -> None:
        """Append every source up to a frame of the mix."""
        for source in recording.sources:
            while source.at < until:
                end = min(until, source.at + round(PIECE_S * recording.rate))
                sound, lost = self._taps.read(
                    source.tap, source.at + source.delay, end + source.delay
                )
                recording.lost += lost if source.name == MASTER or source.file else 0
                if source.file is None and np.any(sound):
                    self._open(recording, source)
                    self._fill(source, source.at - recording.part_first)
                if source.file is not None:
                    source.file.append(sound)
                source.at = end

    @staticmethod
    def _fill(source: _Source, frames: int) -> None:
        """Append the silence before the first sound of a source."""
        assert source.file is not None
        silence = np.zeros((1 << 16, 2), np.float32)
        while frames > 0:
            source.file.append(silence[: min(frames, len(silence))])
            frames -= len(silence)

    def _note_state(self, recording: _Recording) -> None:
        sizes = sum(s.file.size_bytes for s in recording.sources if s.file is not None)
        self._state = {
            "time_s": (recording.sources[0].at - recording.first) / recording.rate,
            "lost": recording.lost,
            "bytes": recording.bytes_before + sizes,
        }

    # ------------------------------------------------------------------ end

    def _close_files(self, recording: _Recording) -> None:
        """Close every file; the first error is raised when all are closed."""
        errors = []
        for source in recording.sources:
            if source.file is not None:
                file, source.file = source.file, None
                try:
                    file.close()
                except OSError as error:
                    errors.append(error)
                with suppress(OSError):
                    recording.bytes_before += file.path.stat().st_size
        if errors:
            raise errors[0]

    def _end(self, recording: _Recording) -> None:
        try:
            self._close_files(recording)
            self._write_lists(recording)
        except OSError as error:
            self.error = self.error or error.strerror or str(error)
        with suppress(OSError):
            self._note_state(recording)
        self._last = {k: v for k, v in self.describe().items() if k != "error"} | {
            "on": False,
            "error": self.error,
            "files": [str(path) for path, _ in recording.parts],
        }
        with self._mutex:
            self._recording = None

    def _write_lists(self, recording: _Recording) -> None:
        """Write the cue sheet and the list of tracks."""
        if not recording.tracks:
            return
        kind = "FLAC" if recording.form == "flac" else "WAVE"
        sheets = []
        for number, (path, first) in enumerate(recording.parts):
            later = [p for _, p in recording.parts[number + 1 : number + 2]]
            inside = [
                (max(0.0, (t.frame - first) / recording.rate), t)
                for t in recording.tracks
                if (number == 0 or t.frame >= first) and all(t.frame < p for p in later)
            ]
            if inside:
                sheets.append(cue_sheet(inside, path.name, kind))
        whole = [
            (max(0.0, (t.frame - recording.first) / recording.rate), t) for t in recording.tracks
        ]
        for suffix, text in ((".cue", "".join(sheets)), (".txt", track_list(whole))):
            part = recording.target.with_name(f".{recording.target.stem}{suffix}")
            part.write_text(text)
            part.replace(recording.target.with_suffix(suffix))


assert MASTER not in STEMS
