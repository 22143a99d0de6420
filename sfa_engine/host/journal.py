"""The journal's writer: a thread that appends what the kernel did to a file, batch by batch.

::

    kernel ──► journal ring ──┐
    loader ──► what it sends ─┴─► every BATCH_S: write, let the ring go, fsync

The ring is in the engine's memory: what a host that is killed had not written yet, the next one
writes. A file goes on for as long as that memory lives. The loader notes a track before it sends
its command, and the thread looks at the ring before it looks at the notes: no command is ahead of
its track. No lock is held while the disk works.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.engine.atomic import load_acquire, store_release
from sfa_engine.engine.journal import (
    HEAD,
    SUFFIX,
    Contents,
    Entry,
    pack_batch,
    parse_batches,
    set_entry,
    state_of,
)
from sfa_engine.engine.layout import LAYOUT, REPORT, REPORTS
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import MediaError
from sfa_engine.host import build
from sfa_engine.system import log
from sfa_engine.system.atomic import sync

FOLDER = "journals"  # in the data folder
BATCH_S = 0.5  # between two batches while something happens: what a power cut costs
QUIET_S = 1.0  # the same while nothing does; the batch says that the set went on
END_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class JournalSettings:
    """How many journals are kept.

    Parameters
    ----------
    enabled : bool
    files : int
        At most; the oldest are deleted.
    size_mb : int
        Of all together.
    """

    enabled: bool = True
    files: int = 100
    size_mb: int = 1000


class JournalWriter:
    """Writes the journal of this host, and what the one before it left.

    Parameters
    ----------
    memory : Memory
    folder : pathlib.Path
    settings : JournalSettings

    Attributes
    ----------
    path : pathlib.Path, optional
        The file that is written.
    error : str
        Why nothing is written any more; empty while it is.
    """

    def __init__(self, memory: Memory, folder: Path, settings: JournalSettings) -> None:
        self._memory = memory
        self._folder = folder
        self._settings = settings
        self._first = memory.offset("journal")
        self._head_address = memory.field_address("journal_head")
        self._tail_address = memory.field_address("journal_tail")
        self._notes: deque[Entry] = deque()
        self._handle = -1
        self._contents = Contents()
        self._written_at = 0.0
        self._frame = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.path: Path | None = None
        self.error = ""

    # ------------------------------------------------------------------ life

    def begin(self, rate: float, channels: int) -> None:
        """Open the file, and note how this host begins; its first block comes after this."""
        self._memory.engine["journalled"] = 0
        try:
            self._open()
            if self._contents.batches:
                self._write()  # of the host before
            else:
                self._append([set_entry(self._memory, time.time())])
            host: Entry = {
                "kind": "host",
                "began_s": time.time(),
                **build.provenance(),
                "layout": LAYOUT,
                "rate": rate,
                "block": int(self._memory.engine["block"]),
                "channels": channels,
                "state": state_of(self._memory),
            }
            self._append([host])
            os.fsync(self._handle)
        except OSError as error:
            self._fail(error)
            return
        self._memory.engine["journal_lost"] = 0
        self._memory.engine["journalled"] = 1
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Write what is left, after the last block."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(END_TIMEOUT_S)
            self._thread = None

    def note(self, entry: Entry) -> None:
        """Note what a command of the loader puts on a deck or a pad; before it is sent."""
        if self._memory.engine["journalled"]:
            self._notes.append(entry)

    def describe(self) -> dict[str, Any]:
        """Return the state of the journal, for health and status."""
        return {
            "path": str(self.path) if self.path else "",
            "error": self.error,
            "lost": int(self._memory.engine["journal_lost"]),
        }

    # ------------------------------------------------------------------ file

    def _open(self) -> None:
        """Open the file of this memory's set, or make one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        set_id = int(self._memory.engine["set_id"])
        mark = f"-{set_id & 0xFFFFFF:06x}"
        for path in sorted(self._folder.glob(f"*{mark}{SUFFIX}"), reverse=True):
            with suppress(MediaError):
                contents = parse_batches(path.read_bytes())
                first = contents.entries[0] if contents.entries else {}
                # An altered one is left as it is: only what a cut left over is cut off.
                if first.get("set_id") == set_id and "altered" not in contents.damage:
                    self.path = path
                    self._handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                    os.ftruncate(self._handle, contents.size)
                    self._contents = contents
                    self._contents.entries = []
                    return
        now = time.strftime("%Y%m%d-%H%M%S")
        self.path = self._folder / f"{now}{mark}{SUFFIX}"
        if self.path.exists():  # an altered one, of the same second
            self.path = self._folder / f"{now}-{time.time_ns() % 10**9:09d}{mark}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._handle = os.open(self.path, flags, 0o600)
        os.pwrite(self._handle, HEAD, 0)
        self._contents = Contents(size=len(HEAD))
        sync(self._folder)
        prune(self._folder, self._settings, self.path)

    def _append(self, entries: list[Entry]) -> None:
        """Append a batch; it is on the disk on return."""
        data, total = pack_batch(entries, self._contents.batches, self._contents.total)
        done = 0
        while done < len(data):  # a disk that fills up takes a part
            done += os.pwrite(self._handle, data[done:], self._contents.size + done)
        self._contents.size += len(data)
        self._contents.batches += 1
        self._contents.total = total

    def _write(self) -> None:
        """Append what is on the ring and what the loader noted; then let the ring go.

        The ring is looked at first: what it has is not ahead of the notes.
        """
        engine = self._memory.engine
        frame = int(engine["emitted"])  # before the ring: it has all commands up to there
        tail = load_acquire(self._tail_address)
        head = load_acquire(self._head_address)
        entries: list[Entry] = []
        while self._notes:
            entries.append(self._notes.popleft())
        reports: Entry = {
            "kind": "reports",
            "first": tail,
            "frame": frame,
            "lost": int(engine["journal_lost"]),
            "data": self._records(tail, head),
        }
        self._append([*entries, reports])
        store_release(self._tail_address, head)
        self._frame = frame
        self._written_at = time.monotonic()
        os.fsync(self._handle)

    def _records(self, tail: int, head: int) -> bytes:
        """Return the records from one count up to another."""
        size = REPORT.itemsize
        first, last = tail % REPORTS, tail % REPORTS + head - tail
        begin = self._first + first * size
        if last <= REPORTS:
            return bytes(self._memory.buffer[begin : begin + (head - tail) * size])
        rest = self._first + (last - REPORTS) * size
        whole = bytes(self._memory.buffer[begin : self._first + REPORTS * size])
        return whole + bytes(self._memory.buffer[self._first : rest])

    def _run(self) -> None:
        while not self._stop.wait(BATCH_S):
            if not self._step():
                return
        if self._step(last=True):
            os.close(self._handle)

    def _step(self, *, last: bool = False) -> bool:
        """Write a batch if there is something to say; return whether the disk takes it."""
        quiet = load_acquire(self._tail_address) == load_acquire(self._head_address)
        recent = time.monotonic() - self._written_at < QUIET_S - 0.5 * BATCH_S
        if quiet and not self._notes and recent and not last:
            return True
        try:
            self._write()
        except OSError as error:
            self._fail(error)
            return False
        return True

    def _fail(self, error: OSError) -> None:
        """Give up: what is missing from now on could not be rendered, so the rest is of no use."""
        engine = self._memory.engine
        if engine["journalled"]:
            engine["journalled"] = 0
            engine["journal_lost"] += 1  # a host that goes on with the file says so
        self._notes.clear()
        self.error = error.strerror or str(error)
        log.write("error", f"the journal ends here: {self.path or self._folder}: {self.error}")
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def prune(folder: Path, settings: JournalSettings, current: Path | None = None) -> list[Path]:
    """Delete the oldest journals beyond the number and the size that are kept; return them."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, path.name, status.st_size, path))
    found.sort(reverse=True)
    left_bytes = settings.size_mb << 20
    deleted = []
    for number, (_, _, size, path) in enumerate(found):
        left_bytes -= size
        if path != current and (number >= settings.files or left_bytes < 0):
            with suppress(OSError):
                path.unlink()
                deleted.append(path)
    return deleted


def load_note(
    ticket: int, deck: int, slot: int, x: float, how: int, media: Any, mounted: Any
) -> Entry:
    """Return what the journal keeps of a load.

    Parameters
    ----------
    ticket, deck, slot : int
        Of the command.
    x, how : float, int
        Likewise.
    media : numpy.void of `MEDIA`, optional
        Of the slot; None for an eject.
    mounted : Mounted, optional
        Likewise.
    """
    load: Entry = {"kind": "load", "ticket": ticket, "deck": deck, "slot": slot}
    load |= {"x": x, "how": how}
    if mounted is None:
        return load | {"track": None}
    bundle = mounted.bundle
    track = {
        "frames": mounted.frames,
        "rate": float(media["rate"]),
        "gain": float(media["gain"]),
        "key": int(media["key"]),
        "stems": list(mounted.pcm),
        "beats": mounted.beats.tobytes(),
        "first_beat": int(media["first_beat"]),
        "beats_per_bar": int(media["beats_per_bar"]),
        "splices": None if mounted.splices is None else mounted.splices.tobytes(),
        "onsets": {name: np.asarray(x, np.int64).tobytes() for name, x in mounted.onsets.items()},
    }
    if bundle is not None:
        track |= {
            "path": str(bundle.path.absolute()),
            "digest": bundle.track.digest,
            "title": bundle.track.title,
            "artist": bundle.track.artist,
        }
    return load | {"track": track}
