"""The engine's mapped file: made by the host, opened by everybody else.

A plain file in the runtime directory, not `multiprocessing.shared_memory`: that one's
tracker removes a block when any process that opened it dies.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.atomic import load_acquire
from sfa_engine.engine.layout import (
    ENGINE,
    LATENCY,
    LAYOUT,
    MAGIC,
    READING_INDEX,
    RING,
    SNAPSHOT,
    VALUE_INDEX,
    VALUE_PATHS,
)
from sfa_engine.errors import EngineError
from sfa_engine.system.atomic import atomic_file

SIZE = -(-ENGINE.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE


def boot_id() -> bytes:
    """Return what names this run of the machine: times of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()


class Memory:
    """The engine's record, wherever it lies.

    Attributes
    ----------
    engine : numpy.void of `ENGINE`
        A view: reading looks, writing writes. Only the host and the kernel write it,
        but for the heads of the other writers' command rings and the report ring's tail.
    buffer : memoryview
        The same as bytes, for what is packed and unpacked.
    address : int
        Of the first byte, in this process.
    inode : int
        Of the file that is mapped, which another may have replaced at its path since; 0 without.
    """

    def __init__(self, buffer: mmap.mmap, path: Path | None = None, inode: int = 0) -> None:
        self._map = buffer
        self.buffer = memoryview(buffer)
        self.path = path
        self.inode = inode
        self._array = np.frombuffer(buffer, dtype=ENGINE, count=1)
        self.engine = self._array[0]
        self.address = int(self._array.ctypes.data)
        self._serial_address = self.field_address("serial")
        self._snapshots = self.offset("snapshots")

    @classmethod
    def anonymous(cls) -> Memory:
        """Return memory that no other process sees, at rest."""
        memory = cls(mmap.mmap(-1, SIZE))
        memory.rest()
        return memory

    @classmethod
    def create(cls, path: Path) -> Memory:
        """Make a file at rest and put it in place at once, over any that was there.

        Raises
        ------
        EngineError
            It cannot be written, or there is not the space for it.
        """
        try:
            with (
                atomic_file(path, mode=0o600, durable=False) as part,
                part.open("r+b", buffering=0) as file,
            ):
                os.posix_fallocate(file.fileno(), 0, SIZE)  # else a page without space is a SIGBUS
                memory = cls(mmap.mmap(file.fileno(), SIZE), path, part.stat().st_ino)
                memory.rest()
        except OSError as error:
            raise EngineError(
                f"{path} cannot be made: {error.strerror}",
                f"it takes {SIZE >> 10} kB; look at the rights and the space of its folder",
            ) from None
        return memory

    @classmethod
    def open(cls, path: Path) -> Memory:
        """Open what a host made.

        Raises
        ------
        EngineError
            There is none, or it is of another build or another boot.
        """
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise EngineError("the engine is not running", "start it with `sfa start`") from None
        except OSError as error:
            raise EngineError(f"cannot open {path}: {error.strerror}") from None
        try:
            there = os.fstat(handle)
            if there.st_size != SIZE:
                raise EngineError(
                    f"{path} has {there.st_size} bytes, not {SIZE}",
                    "it is of another version, or of another number of decks; stop the engine and "
                    "start it again",
                )
            memory = cls(mmap.mmap(handle, SIZE), path, there.st_ino)
        finally:
            os.close(handle)
        if int(memory.engine["magic"]) != MAGIC or int(memory.engine["layout"]) != LAYOUT:
            raise EngineError(
                f"{path} is of another version of the engine, or of another number of decks",
                "stop the engine and start it again",
            )
        memory._array.view("u1")[:: mmap.PAGESIZE].sum()  # every page is there from now on
        if bytes(memory.engine["boot"]) != boot_id():
            raise EngineError(f"{path} is left from before the machine started", "start the engine")
        return memory

    def rest(self) -> None:
        """Set every control to rest."""
        self._array.view("u1")[:] = 0
        engine = self.engine
        engine["magic"] = MAGIC
        engine["layout"] = LAYOUT
        engine["size"] = SIZE
        engine["boot"] = boot_id()
        engine["set_id"] = int.from_bytes(os.urandom(7), "little") + 1
        engine["flat"] = [CONTROLS[path].scale.rest for path in VALUE_PATHS]
        for path in VALUE_PATHS:
            if path.endswith(".position") and "hotcue" not in path:
                engine["flat"][VALUE_INDEX[path]] = 0.0
        engine["transport"]["head"]["slot"] = -1
        for name in ("now", "before", "held"):
            engine["transport"]["stem"][name]["slot"] = -1
        engine["fresh"] = 1

    def offset(self, name: str) -> int:
        """Return where a field of the engine's record begins, in bytes."""
        fields = ENGINE.fields
        assert fields is not None
        return int(fields[name][1])

    def field_address(self, name: str) -> int:
        """Return the address of a field of the engine's record."""
        return self.address + self.offset(name)

    def ring_offset(self, ring: int, name: str) -> int:
        """Return where a field of a command ring begins, in bytes."""
        fields = RING.fields
        assert fields is not None
        return self.offset("rings") + ring * RING.itemsize + int(fields[name][1])

    @property
    def latency_s(self) -> float:
        """Return the time from the start of a frame's block to what is heard of the frame.

        The block and the limiter, and what the device says that it takes itself.
        """
        engine = self.engine
        frames = int(engine["block"]) + LATENCY
        return frames / float(engine["sample_rate"]) + float(engine["device_latency"])

    def value(self, path: str) -> float:
        """Return a control's value, in its unit."""
        return float(self.engine["flat"][VALUE_INDEX[path]])

    def snapshot(self) -> np.void:
        """Return a copy of the newest readings, all of one block.

        The kernel writes the older of two; only a reader that sleeps for a whole block
        while copying has to look again.
        """
        serial = self._serial_address
        while True:
            before = load_acquire(serial)
            offset = self._snapshots + (before & 1) * SNAPSHOT.itemsize
            copy = self.buffer[offset : offset + SNAPSHOT.itemsize].tobytes()
            if load_acquire(serial) - before <= 0:
                newest: np.void = np.frombuffer(copy, SNAPSHOT)[0]
                return newest

    def reading(self, path: str) -> float:
        """Return one reading, as the engine gives it."""
        return float(self.snapshot()["flat"][READING_INDEX[path]])
