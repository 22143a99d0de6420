"""The same kernel without a device: faster than real time, and to the byte what a stage hears.

Used by ``sfa render``, by the demo and by the tests. One thread; nothing here waits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sfa_engine.engine.command import Op, Ring, When
from sfa_engine.engine.layout import LATENCY, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import Command, CommandWriter, Report, ReportReader
from sfa_engine.errors import EngineError
from sfa_engine.host import build
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.loader import Loader, Mounted
from sfa_engine.host.pads import Pads, Sound
from sfa_engine.track.grid import Grid

Audio = npt.NDArray[np.float32]


@functools.cache
def loaded_kernel() -> build.Kernel:
    """Return the machine code, loaded once for all engines of this process."""
    return build.load(build.ensure())


class Offline:
    """An engine of one's own.

    Parameters
    ----------
    rate : float
        Frames a second.
    channels : int
        2, 4 with the headphones, or 6 with the booth too.
    block : int
        Frames a call of the kernel; what comes out does not depend on it.
    mapped : bool
        Play from the files of bundles, of which a part is needed; see `Loader`.
    """

    def __init__(
        self,
        rate: float = 48_000.0,
        channels: int = 2,
        block: int = 512,
        *,
        mapped: bool = False,
    ) -> None:
        self._kernel = loaded_kernel()
        self._process = build.STREAM(self._kernel.stream)
        self.memory = Memory.anonymous()
        self.memory.engine["block"] = block
        self.dsp = DspState(self.memory, rate, channels)
        self.loader = Loader(self.dsp, mapped=mapped)
        self.pads = Pads(self.memory, self.dsp, self.loader)
        self.commands = CommandWriter(self.memory, Ring.STAGE)
        self._reports = ReportReader(self.memory)
        self.rate = rate
        self.channels = channels
        self.block = block

    def push(self, command: Command) -> int:
        """Put a command on the stage's ring; return its ticket."""
        ticket = self.commands.push(command)
        if not ticket:
            raise EngineError("the command ring is full", "render a block between commands")
        return ticket

    def set(self, path: str, value: float, frame: int | None = None) -> int:
        """Set a control, at once or at an engine frame."""
        when = When.NOW if frame is None else When.FRAME
        return self.push(
            Command(Op.SET, target=VALUE_INDEX[path], x=value, when=when, frame=frame or 0)
        )

    def load(
        self,
        deck: int,
        track: Path | Mapping[str, npt.NDArray[np.generic]],
        *,
        rate: float | None = None,
        grid: Grid | None = None,
        position_s: float = 0.0,
        splices: npt.ArrayLike | None = None,
        onsets: Mapping[str, npt.ArrayLike] = MappingProxyType({}),
        key: str | None = None,
    ) -> Mounted:
        """Put a bundle, or stems in memory, on a deck (from 0); wait until all of it is there."""
        self.loader.free_taken()
        if isinstance(track, Path):
            mounted, _ = self.loader.mount_bundle(track, position_s)
        else:
            mounted = self.loader.mount_arrays(
                track, rate or self.rate, grid=grid, splices=splices, onsets=onsets, key=key
            )
        mounted.filled.wait()
        if mounted.error:
            raise EngineError(mounted.error)
        self.loader.give_track(deck, mounted, position_s)
        return mounted

    def load_pad(
        self,
        pad: int,
        sound: Sound | npt.NDArray[np.generic] | None,
        *,
        rate: float | None = None,
    ) -> None:
        """Put a sound, or stereo PCM, on a pad (from 0), or nothing; it is there from now on."""
        self.pads.free()
        if isinstance(sound, Sound):
            self.pads.load(pad, sound)
        elif sound is not None:
            self.pads.load_pcm(pad, sound, rate or self.rate)
        else:
            self.pads.clear(pad)

    def render(self, frames: int) -> Audio:
        """Return the next frames: float32[frames, channels]."""
        out = np.zeros((frames, self.channels), np.float32)
        done = 0
        while done < frames:
            count = min(self.block, frames - done)
            self._process(None, out[done:].ctypes.data, count, None, 0, self.dsp.address)
            done += count
        return out

    def reported(self) -> list[Report]:
        """Return the kernel's reports since the last call."""
        return self._reports.fetch()


class MasterLimiter:
    """The master's limiter alone, for sound that is on no deck.

    Parameters
    ----------
    rate : float
        Frames a second.
    ceiling_dbtp : float
        Highest true peak.
    release_ms : float

    Attributes
    ----------
    latency : int
        Frames by which what comes out is late.
    """

    latency = LATENCY

    def __init__(self, rate: float, ceiling_dbtp: float, release_ms: float) -> None:
        self._limit = build.LIMITER(loaded_kernel().limiter)
        self._memory = Memory.anonymous()
        self._dsp = DspState(self._memory, rate, 2)
        self._ceiling = 10.0 ** (ceiling_dbtp / 20.0)
        self._release_ms = release_ms

    def run(self, sound: Audio) -> Audio:
        """Return the next frames, limited: float32[frames, 2]."""
        out = np.array(sound, np.float32, order="C")
        self._limit(self._dsp.address, out.ctypes.data, len(out), self._ceiling, self._release_ms)
        return out

    @property
    def reduction_db(self) -> float:
        """The most that it has taken away so far."""
        return -20.0 * math.log10(float(self._dsp.record["limiter_least"]))
