"""Tracks into memory: read ahead of the playing head, handed over, and freed when let go.

PCM is read into memory of our own, not mapped: a mapped file that is truncated while it
plays would end the host (SIGBUS), and pages of a mapped file may be taken away again.

======== ====================== ==================================================
stage    side                   what happens
======== ====================== ==================================================
read     loader's thread        the first seconds, from the place where it will play
ready    kernel, by command     the deck's head gets the slot
fill     loader's thread        the rest; the kernel never reads beyond what is ready
let go   kernel                 no head plays the slot any more
free     loader's thread        memory goes back
======== ====================== ==================================================
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.atomic import store_release
from sfa_engine.engine.command import NO_DECK, Handover, Op, Ring, Source
from sfa_engine.engine.layout import DECKS, SLOTS
from sfa_engine.engine.ring import CommandWriter
from sfa_engine.errors import EngineError, MediaError
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.elementary import factor_of
from sfa_engine.host.journal import load_note
from sfa_engine.track.curves import read_curves
from sfa_engine.track.grid import Grid
from sfa_engine.track.key import signature
from sfa_engine.track.media import RATE, Bundle, StemFile, Track, read_bundle

AHEAD_S = 2.0  # in memory before a deck may play: ten times what a slow card takes for more
CHUNK_FRAMES = 65_536
RESERVE_BYTES = 256 << 20  # left to everybody else when a track asks for memory
_MLOCK_ONFAULT = 1
Splices = npt.NDArray[np.float64] | None
StemOnsets = Mapping[str, npt.NDArray[np.int64]]
_libc = ctypes.CDLL(None, use_errno=True)


def frame_bytes(stem: StemFile) -> int:
    """Return the size of a stereo frame."""
    return 2 * stem.dtype.itemsize


def available_bytes() -> int:
    """Return the memory that may still be used."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 1 << 62


def read_onsets(path: Path, track: Track) -> tuple[Splices, StemOnsets]:
    """Return the onsets that the curves of a bundle list, in track frames.

    Returns
    -------
    splices : float64[n], optional
        Of all stems, rising; None if there are no curves, or they are of another sound.
    stems : mapping of str to int64[n]
        Of single stems, rising.
    """
    try:
        curves = read_curves(path)
        if curves.digest != track.digest:
            return None, {}
        ratio = track.rate / RATE
        splices = np.sort(curves.splices().astype(np.float64)) * ratio
        stems = {
            stem: np.round(np.sort(curves.onsets(stem).astype(np.float64)) * ratio).astype(np.int64)
            for stem in STEMS
            if curves.has_onsets(stem)
        }
    except MediaError:
        return None, {}
    return splices[splices < track.frames], {s: x[x < track.frames] for s, x in stems.items()}


@dataclass
class Mounted:
    """A track in a media slot.

    Attributes
    ----------
    slot : int
    beats : float64[n]
        Kept for the kernel, which has their address.
    splices : float64[n], optional
        Onsets in track frames, rising; likewise.
    onsets : mapping of str to int64[n]
        Those of single stems; likewise.
    deck : int
        That it was sent to; -1: none yet.
    handed : bool
        Whether the kernel has come by what was sent.
    error : str
        Why the rest of it could not be read, if it could not.
    bundle : Bundle, optional
        What it was read from.
    """

    slot: int
    frames: int
    pcm: dict[str, npt.NDArray[np.generic]]
    beats: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    splices: Splices = None
    onsets: StemOnsets = field(default_factory=dict)
    deck: int = -1
    handed: bool = False
    error: str = ""
    filled: threading.Event = field(default_factory=threading.Event)
    stopped: bool = False
    bundle: Bundle | None = None


class Loader:
    """Owns the media slots of a dsp.

    Parameters
    ----------
    dsp : DspState
    lock : bool
        Keep PCM from being paged out, where the system allows it.
    mapped : bool
        Play from the files instead of copies of them: for a render of a part, which may wait for
        the disk, and may end if a file is cut meanwhile.
    """

    def __init__(self, dsp: DspState, *, lock: bool = False, mapped: bool = False) -> None:
        self._dsp = dsp
        self._lock_memory = lock
        self._mapped = mapped
        self.locked = lock
        self._commands = CommandWriter(dsp.memory, Ring.HOST)
        self._mounted: dict[int, Mounted] = {}
        self._sent: dict[int, int] = {}  # by deck: the last command's number on the ring
        self._mutex = threading.RLock()
        # Called with deck and stems before a deck gets a track.
        self.on_stems: Callable[[int, list[str]], None] | None = None
        # Called with what is to be journalled of a command, before it is sent.
        self.on_send: Callable[[dict[str, Any]], None] | None = None

    # ------------------------------------------------------------------ slots

    def _claim(self) -> int:
        """Return a free slot; free unused ones only if there is none."""
        for _ in range(2):
            for slot in range(SLOTS):
                if slot not in self._mounted:
                    return slot
            self.free()
        raise EngineError("all media slots are in use", "wait for a deck to let its old track go")

    def free(self) -> None:
        """Give back the memory of tracks that are on no deck and under no head.

        Unmapping a track takes tens of milliseconds: the host calls this while idle.
        """
        with self._mutex:
            heads = self._dsp.memory.engine["transport"]["head"]["slot"]
            for slot, mounted in list(self._mounted.items()):
                media = self._dsp.record["media"][slot]
                # One whose command still waits on the ring must stay: the kernel may take it yet.
                mounted.handed = mounted.handed or slot in heads
                if mounted.handed and media["heads"] == 0 and slot not in heads:
                    mounted.stopped = True
                    if mounted.filled.is_set():
                        media["address"] = 0
                        del self._mounted[slot]

    def _mount(
        self,
        pcm: dict[str, npt.NDArray[np.generic]],
        frames: int,
        rate: float,
        gain: float,
        key: int,
        grid: Grid | None,
        splices: Splices,
        onsets: StemOnsets,
    ) -> Mounted:
        """Describe a track in a free slot; nothing of it is ready yet."""
        beats, first_beat, beats_per_bar = np.zeros(0), 0, 4
        if grid is not None:
            beats = np.ascontiguousarray(grid.beats(frames, int(rate)), dtype=np.float64)
            first_beat = grid.first_beat(frames, int(rate))
            beats_per_bar = grid.beats_per_bar
        with self._mutex:
            slot = self._claim()
            mounted = Mounted(slot, frames, pcm, beats, splices, onsets)
            self._mounted[slot] = mounted
        first = next(iter(pcm.values()), None)  # a replay may lack a track's sound
        media = self._dsp.record["media"][slot]
        media["heads"] = 0
        media["address"] = [pcm[s].ctypes.data if s in pcm else 0 for s in STEMS]
        media["float32"] = first is not None and first.dtype == np.float32
        media["frames"] = frames
        media["rate"] = rate
        media["ready_start"] = 0
        media["ready_end"] = 0
        media["beats"] = len(beats)
        media["beats_address"] = beats.ctypes.data if len(beats) else 0
        media["first_beat"] = first_beat
        media["beats_per_bar"] = beats_per_bar
        media["splices"] = -1 if splices is None else len(splices)
        media["splices_address"] = splices.ctypes.data if splices is not None else 0
        media["gain"] = gain
        media["key"] = key
        for number, stem in enumerate(STEMS):
            found = onsets.get(stem)
            media["onsets"][number] = 0 if found is None else len(found)
            media["onsets_address"][number] = 0 if found is None else found.ctypes.data
        return mounted

    # ------------------------------------------------------------------ sources

    def mount_arrays(
        self,
        stems: Mapping[str, npt.NDArray[np.generic]],
        rate: float,
        *,
        grid: Grid | None = None,
        gain: float = 1.0,
        splices: npt.ArrayLike | None = None,
        onsets: Mapping[str, npt.ArrayLike] = MappingProxyType({}),
        key: str | None = None,
    ) -> Mounted:
        """Mount PCM that is in memory already: float32 or int16, [frames, 2], each as long.

        Parameters
        ----------
        stems : mapping of str to array
        rate : float
            Frames a second.
        grid : Grid, optional
        gain : float
            A factor.
        splices : float[n], optional
            Onsets in track frames; None: not known.
        onsets : mapping of str to int[n]
            Onsets of single stems in track frames.
        key : str, optional
            In any spelling.
        """
        pcm = {name: np.ascontiguousarray(array) for name, array in stems.items()}
        frames = len(next(iter(pcm.values())))
        merged = None if splices is None else np.sort(np.asarray(splices, np.float64))
        single = {stem: np.sort(np.asarray(x, np.int64)) for stem, x in onsets.items()}
        mounted = self._mount(pcm, frames, rate, gain, signature(key), grid, merged, single)
        self._set_ready(mounted.slot, 0, frames)
        mounted.filled.set()
        return mounted

    def mount_bundle(
        self, path: Path, position_s: float = 0.0, ahead_s: float = AHEAD_S
    ) -> tuple[Mounted, Bundle]:
        """Mount a bundle and read what is needed to play from a place; the rest follows.

        Parameters
        ----------
        path : pathlib.Path
        position_s, ahead_s : float
            Where it will play, and how much of the track is in memory when this returns.

        Raises
        ------
        MediaError
            The bundle is not whole.
        EngineError
            There is no slot or not the memory for it.
        """
        bundle = read_bundle(path)
        track = bundle.track
        stems = dict(zip((stem.name for stem in track.stems), bundle.stems, strict=True))
        size = sum(stem.frames * frame_bytes(stem) for stem in stems.values())
        spare = available_bytes() - RESERVE_BYTES
        if size > spare and not self._mapped:
            raise EngineError(
                f"{path} needs {size >> 20} MB of memory and {max(0, spare) >> 20} MB are free",
                "eject another track, or make the bundle without stems",
            )
        if self._mapped:
            return self._mount_mapped(bundle, stems), bundle
        gain = factor_of(track.gain_db)
        pcm = {name: self.allocate(stem) for name, stem in stems.items()}
        start = min(max(0, int(position_s * track.rate)), max(0, track.frames - 1))
        reader = Reader(stems, pcm)
        mounted = None
        try:
            end = reader.read(start, min(track.frames, start + int(ahead_s * track.rate)))
            splices, onsets = read_onsets(path, track)
            mounted = self._mount(
                *(pcm, track.frames, track.rate, gain, signature(track.key)),
                *(track.grid, splices, onsets),
            )
            mounted.bundle = bundle
            self._set_ready(mounted.slot, start, end)
            threading.Thread(
                target=self._fill,
                args=(mounted, reader, start, end),
                name=f"fill-{mounted.slot}",
                daemon=True,
            ).start()
        except BaseException:
            reader.close()
            if mounted is not None:
                with self._mutex:
                    self._mounted.pop(mounted.slot)
            raise
        return mounted, bundle

    def _mount_mapped(self, bundle: Bundle, stems: Mapping[str, StemFile]) -> Mounted:
        """Mount a bundle as it is in its files: all of it is ready."""
        track = bundle.track
        splices, onsets = read_onsets(bundle.path, track)
        mounted = self._mount(
            *(_mapped(stems), track.frames, track.rate, factor_of(track.gain_db)),
            *(signature(track.key), track.grid, splices, onsets),
        )
        mounted.bundle = bundle
        self._set_ready(mounted.slot, 0, track.frames)
        mounted.filled.set()
        return mounted

    def allocate(self, stem: StemFile) -> npt.NDArray[np.generic]:
        """Return memory for a stem, on huge pages and locked where that is possible."""
        size = max(mmap.PAGESIZE, stem.frames * frame_bytes(stem))
        try:
            block = mmap.mmap(-1, size)
        except (OSError, MemoryError):
            raise EngineError(
                f"there is not the memory for {stem.path}: {size >> 20} MB", "eject another track"
            ) from None
        if hasattr(mmap, "MADV_HUGEPAGE") and size >= 2 << 20:
            with contextlib.suppress(OSError):  # a kernel without huge pages
                block.madvise(mmap.MADV_HUGEPAGE)
        array = np.frombuffer(block, dtype=stem.dtype, count=stem.frames * 2).reshape(-1, 2)
        if self._lock_memory and stem.frames:
            address = ctypes.c_void_p(array.ctypes.data)
            if _libc.mlock2(address, ctypes.c_size_t(size), _MLOCK_ONFAULT) != 0:
                self.locked = False
        return array

    def _set_ready(self, slot: int, start: int, end: int) -> None:
        store_release(self._dsp.media_address(slot, "ready_start"), start)
        store_release(self._dsp.media_address(slot, "ready_end"), end)

    def _fill(self, mounted: Mounted, reader: Reader, start: int, end: int) -> None:
        """Read on to the end, then what lies before."""
        slot = mounted.slot
        try:
            while end < mounted.frames and not mounted.stopped:
                end = reader.read(end, min(mounted.frames, end + CHUNK_FRAMES))
                store_release(self._dsp.media_address(slot, "ready_end"), end)
            while start > 0 and not mounted.stopped:
                before = max(0, start - CHUNK_FRAMES)
                reader.read(before, start)
                start = before
                store_release(self._dsp.media_address(slot, "ready_start"), start)
        except MediaError as error:
            mounted.error = str(error)
        finally:
            reader.close()
            mounted.filled.set()

    # ------------------------------------------------------------------ decks

    def give_track(
        self,
        deck: int,
        mounted: Mounted | None,
        position_s: float = 0.0,
        *,
        resumed: bool = False,
    ) -> int:
        """Give a deck a mounted track, or none; the kernel takes it at its next tick.

        Parameters
        ----------
        deck : int
            From 0.
        resumed : bool
            Leave the transport as it is: a new host takes up what an old one played.

        Returns
        -------
        int
            Ticket of the command, which the kernel's report names.
        """
        return self._send(deck, mounted, position_s, Handover.RESUMED if resumed else Handover.NEW)

    def release(self, mounted: Mounted) -> None:
        """Give back a track that no deck was given."""
        mounted.handed = True
        self.free()

    def give_grid(
        self,
        deck: int,
        grid: Grid | None,
        splices: Splices = None,
        onsets: StemOnsets = MappingProxyType({}),
        key: int | None = None,
    ) -> bool:
        """Give the track on a deck another grid, while it plays; nothing is heard of it.

        Parameters
        ----------
        deck : int
            From 0.
        grid : Grid, optional
        splices : float64[n], optional
            Onsets in track frames, rising; None: as they are, those of single stems too.
        onsets : mapping of str to int64[n]
            Those of single stems.
        key : int, optional
            Its `signature`; None: as it is.

        Returns
        -------
        bool
            Whether that could be done now: not before the track is all in memory, nor while
            another waits to be taken.
        """
        with self._mutex:
            self.free()
            there = self.on_deck(deck)
            waiting = any(m.deck == deck and not m.handed for m in self._mounted.values())
            if there is None or waiting or not there.filled.is_set():
                return False
            media = self._dsp.record["media"][there.slot]
            rate, gain = float(media["rate"]), float(media["gain"])
            ready = int(media["ready_start"]), int(media["ready_end"])
            if splices is None:
                splices, onsets = there.splices, there.onsets
            key = int(media["key"]) if key is None else key
            mounted = self._mount(there.pcm, there.frames, rate, gain, key, grid, splices, onsets)
            mounted.error = there.error
            mounted.bundle = there.bundle
            mounted.filled.set()
            self._set_ready(mounted.slot, *ready)
            self._send(deck, mounted, float(there.slot), Handover.SAME)
        return True

    def has_key(self, deck: int, key: int) -> bool:
        """Return whether the track on a deck is in a key, by its `signature`."""
        there = self.on_deck(deck)
        return there is None or int(self._dsp.record["media"][there.slot]["key"]) == key

    def has_splices(self, deck: int, splices: Splices) -> bool:
        """Return whether the track on a deck has these splices, or none are given."""
        there = self.on_deck(deck)
        if splices is None or there is None:
            return True
        return there.splices is not None and np.array_equal(there.splices, splices)

    def give_stem(self, deck: int, stem: int, mounted: Mounted | None) -> int:
        """Give a deck's stem that is from another track this track again, after a restart.

        Parameters
        ----------
        deck, stem : int
            From 0.
        mounted : Mounted, optional
            A track that may be on a deck as well; None: the stem is its own deck's again.
        """
        if mounted is not None:
            mounted.handed = False  # not to be freed before the kernel has it
        return self._send(deck, mounted, float(stem), Handover.GUEST)

    def _send(self, deck: int, mounted: Mounted | None, x: float, how: Handover) -> int:
        slot = -1
        if mounted is not None:
            slot = mounted.slot
            mounted.deck = deck
            if self.on_stems is not None:
                self.on_stems(deck, list(mounted.pcm))
        with self._mutex:
            if self.on_send is not None:
                media = self._dsp.record["media"][slot]
                ticket = self._commands.ticket + 1
                self.on_send(load_note(ticket, deck, slot, x, int(how), media, mounted))
            ticket = self._commands.write(Op.LOAD, deck, slot, x, Source.HOST, y=float(how))
            if ticket:
                self._sent[deck] = self._commands.head
        if not ticket:
            if mounted is not None:
                mounted.handed = True  # the kernel will never take it
            raise EngineError("the audio thread takes no commands", "see `sfa health`")
        return ticket

    def command(self, op: Op, target: int, x: float, note: dict[str, Any] | None = None) -> int:
        """Send a command that is about no deck; return how many were sent with it.

        Parameters
        ----------
        op : Op
        target : int
        x : float
        note : dict, optional
            What is journalled of it, beside its ticket.
        """
        with self._mutex:
            if note is not None and self.on_send is not None:
                self.on_send({**note, "ticket": self._commands.ticket + 1})
            if not self._commands.write(op, NO_DECK, target, x, Source.HOST):
                raise EngineError("the audio thread takes no commands", "see `sfa health`")
            return self._commands.head

    @property
    def done(self) -> int:
        """How many of the commands that were sent the kernel has done."""
        return self._commands.done

    def wait_taken(self, deck: int, timeout_s: float = 1.0) -> None:
        """Wait until the kernel has done all that a deck was sent.

        That a deck is empty says nothing: a track that was sent before may still be on the ring.
        """
        self.wait_done(self._sent.get(deck, 0), "the track", timeout_s)
        with self._mutex:  # whatever was sent before this, the kernel has come by too
            for mounted in self._mounted.values():
                mounted.handed = mounted.handed or mounted.deck == deck

    def wait_done(self, sent: int, what: str, timeout_s: float = 1.0) -> None:
        """Wait until the kernel has done the first `sent` commands."""
        give_up = time.monotonic() + timeout_s
        while self._commands.done < sent:
            if time.monotonic() > give_up:
                raise EngineError(
                    f"the audio thread did not take {what}", "see `sfa health` for the device"
                )
            time.sleep(0.0005)

    def free_taken(self) -> None:
        """Free what no deck has any more, if the kernel has done all that it was sent."""
        if self._commands.done >= self._commands.head:
            for mounted in self._mounted.values():
                mounted.handed = mounted.handed or mounted.deck >= 0
        self.free()

    def on_deck(self, deck: int) -> Mounted | None:
        """Return the track that a deck plays."""
        return self.in_slot(int(self._dsp.memory.engine["transport"][deck]["head"]["slot"]))

    def in_slot(self, slot: int) -> Mounted | None:
        """Return the track in a media slot; -1 and a free slot have none."""
        return self._mounted.get(slot)


def _mapped(stems: Mapping[str, StemFile]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the PCM of stems as it is in their files."""
    try:
        return {
            name: np.memmap(stem.path, stem.dtype, "r", stem.offset_bytes, (stem.frames, 2))
            for name, stem in stems.items()
        }
    except (OSError, ValueError) as error:  # no sound at all cannot be mapped
        raise MediaError(f"a stem cannot be mapped: {error}", "make the bundle again") from None


class Reader:
    """Reads stretches of every stem of a bundle into memory."""

    def __init__(
        self, stems: Mapping[str, StemFile], pcm: Mapping[str, npt.NDArray[np.generic]]
    ) -> None:
        self._parts: list[tuple[StemFile, npt.NDArray[np.generic], int]] = []
        try:
            for name, stem in stems.items():
                self._parts.append((stem, pcm[name], os.open(stem.path, os.O_RDONLY)))
        except OSError as error:
            self.close()
            raise MediaError(
                f"{error.filename}: {error.strerror}", "make the bundle again"
            ) from None

    def read(self, start: int, end: int) -> int:
        """Read the frames from start up to end of every stem; return end."""
        for stem, array, handle in self._parts:
            view = array[start:end].data.cast("B")
            offset = stem.offset_bytes + start * frame_bytes(stem)
            done = 0
            while done < len(view):
                try:
                    count = os.preadv(handle, [view[done:]], offset + done)
                except OSError as error:
                    raise MediaError(f"{stem.path}: {error.strerror}", "check the disk") from None
                if count == 0:
                    raise MediaError(
                        f"{stem.path} has become shorter while it was read",
                        "make the bundle again and reload it",
                    )
                done += count
        return end

    def close(self) -> None:
        for _, _, handle in self._parts:
            os.close(handle)
        self._parts = []


assert DECKS < SLOTS
