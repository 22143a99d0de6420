"""The request handlers of the host's socket; each runs in the thread of its client."""

from __future__ import annotations

import fcntl
import math
import os
import threading
import time
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from sfa_engine.engine.layout import DECKS, FX_SLOTS, FX_UNITS, PADS
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import SLOTS
from sfa_engine.errors import Refused
from sfa_engine.host.capture import extended
from sfa_engine.host.decks import Decks
from sfa_engine.host.device_keeper import DeviceKeeper
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.journal import JournalWriter
from sfa_engine.host.midi import Midi
from sfa_engine.host.pads import Pads, Sound
from sfa_engine.host.request_server import RequestServer
from sfa_engine.host.resume import Snapshots
from sfa_engine.host.sound import Sound as SoundFiles
from sfa_engine.host.user_effects import UserEffects
from sfa_engine.track.grid import Grid
from sfa_engine.track.slices import By
from sfa_engine.wire.verbs import GIVEN, Finite, Text, verb

Slot = Annotated[int, Meta(ge=0, le=SLOTS - 1)]
Deck = Annotated[int, Meta(ge=0, le=DECKS - 1)]
Pad = Annotated[int, Meta(ge=0, le=PADS - 1)]
Frames = Annotated[int, Meta(ge=0, le=1 << 40)]
Unit = Annotated[int, Meta(ge=1, le=FX_UNITS)]
FxSlot = Annotated[int, Meta(ge=1, le=FX_SLOTS)]


class Requests:
    """Handles load, eject, refresh, info, ping, wake, quit, and the requests of pads and MIDI.

    Parameters
    ----------
    memory : Memory
    dsp : DspState
    decks : Decks
    keeper : DeviceKeeper
    midi : Midi
    pads : Pads
    effects : UserEffects
    stop : threading.Event
        Set by `quit`.
    sound : SoundFiles

    Attributes
    ----------
    journal : JournalWriter, optional
    snapshots : Snapshots, optional
    """

    def __init__(
        self,
        memory: Memory,
        dsp: DspState,
        decks: Decks,
        keeper: DeviceKeeper,
        midi: Midi,
        pads: Pads,
        effects: UserEffects,
        stop: threading.Event,
        sound: SoundFiles,
    ) -> None:
        self._pads = pads
        self._memory = memory
        self._dsp = dsp
        self._wake_fd, self._wake_mutex = -1, threading.Lock()
        self._decks = decks
        self._keeper = keeper
        self._midi = midi
        self._effects = effects
        self._stop = stop
        self._sound = sound
        self.journal: JournalWriter | None = None
        self.snapshots: Snapshots | None = None
        self.server = RequestServer(self, stop)

    @verb(scope="perform", slow=True)
    def load(
        self, deck: Deck, path: str, position_s: float = 0.0, deadline: float = math.inf
    ) -> dict[str, Any]:
        """Load a bundle onto a deck, see `Decks.load`."""
        return self._decks.load(deck, path, position_s, deadline)

    @verb(scope="perform", slow=True)
    def eject(self, deck: Deck, deadline: float = math.inf) -> dict[str, Any]:
        """Remove a deck's track, see `Decks.eject`."""
        return self._decks.eject(deck, deadline)

    @verb(scope="perform", slow=True)
    def refresh(self, deck: Deck, keep_grid: bool = False) -> dict[str, Any]:
        """Read the bundle on a deck again, see `Decks.refresh`."""
        return self._decks.refresh(deck, keep_grid=keep_grid)

    @verb(scope="read")
    def grid(self, deck: Deck) -> dict[str, Any]:
        """Return the grid of a deck's track, see `Decks.grid`."""
        return self._decks.grid(deck)

    @verb(scope="perform", slow=True)
    def grid_set(
        self, deck: Deck, digest: Text, by_hand: bool, grid: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Give a deck's track another grid, see `Decks.set_grid`."""
        try:
            made = None if grid is None else msgspec.convert(grid, Grid)
        except msgspec.ValidationError as error:
            raise Refused(f"that is no grid: {error}", "see `grid` for one") from None
        return self._decks.set_grid(deck, digest, made, by_hand=by_hand)

    @verb(scope="perform", slow=True)
    def pad_load(
        self,
        pad: Pad,
        path: Text,
        stems: list[Text] | None = None,
        start: Frames = 0,
        frames: Frames = 0,
        gain: Finite = 1.0,
        label: Text = "",
        color: Text = "",
    ) -> dict[str, Any]:
        """Put a sound on a pad, see `Pads.load`."""
        sound = Sound(path, tuple(stems or ()), start, frames, gain, label, color)
        return self._pads.load(pad, sound)

    @verb(scope="perform", slow=True)
    def pad_slice(
        self,
        pad: Pad,
        path: Text,
        stem: Text,
        by: By,
        count: Annotated[int, Meta(ge=1, le=PADS)],
        start_s: Finite = 0.0,
        beats: Annotated[float, Meta(ge=1 / 32, le=64)] = 1.0,
        deck: Deck | None = None,
    ) -> list[dict[str, Any]]:
        """Put slices of a bundle's stem on pads, see `Pads.slice`; by a deck's grid if named."""
        there = None if deck is None else self._decks.loader.on_deck(deck)
        beats_of = there.beats if there is not None and len(there.beats) else None
        return self._pads.slice(
            path, stem, by, count, pad, start_s=start_s, beats=beats, grid_of=beats_of
        )

    @verb(scope="perform", slow=True)
    def pad_loop(
        self, pad: Pad, deck: Deck, stem: Text, start_s: Finite, end_s: Finite
    ) -> dict[str, Any]:
        """Put a stretch of a deck's track on a pad."""
        bundle = self._decks.bundle(deck)
        if bundle is None:
            raise Refused(f"there is no track on deck {deck + 1}", "load one")
        loaded = self._pads.load_stretch(pad, bundle, stem, start_s, end_s)
        there, beats = self._decks.loader.on_deck(deck), 0.0
        if there is not None and len(there.beats) > 1:
            numbers = np.arange(len(there.beats), dtype=np.float64)
            ends = np.array([start_s, end_s]) * bundle.track.rate
            first, last = (float(extended(end, there.beats, numbers)) for end in ends)
            beats = last - first
        return {**loaded, "beats": beats}

    @verb(scope="perform", slow=True)
    def pad_capture(self, pad: Pad, source: Text, bars: Finite) -> dict[str, Any]:
        """Put the last bars of what was played on a pad, see `Capture.last_bars`."""
        found = self._sound.capture.last_bars(source, bars)
        loaded = self._pads.load_pcm(
            pad, found.sound, found.rate, name=f"{source} {bars:g} bars", label=source
        )
        return {**loaded, "beats": found.beats, "first_frame": found.first}

    @verb(scope="perform", slow=True)
    def pad_clear(self, pads: list[Pad]) -> dict[str, Any]:
        """Take the sounds off pads."""
        for pad in pads:
            self._pads.clear(pad)
        return {"cleared": len(pads)}

    @verb(scope="perform")
    def pad_name(
        self, pad: Pad, label: Text | None = None, color: Text | None = None
    ) -> dict[str, Any]:
        """Set a pad's label and colour, which outlive the stage; None leaves one."""
        self._pads.name(pad, label, color)
        return {}

    @verb(scope="read")
    def pads(self) -> list[dict[str, Any]]:
        """Return what is on every pad."""
        return [self._pads.describe(pad) for pad in range(PADS)]

    @verb(scope="read")
    def info(self) -> dict[str, Any]:
        """Return the process's state, for health and status."""
        engine = self._memory.engine
        return {
            "pid": os.getpid(),
            "driver": engine["driver"].decode(),
            "device": engine["device"].decode(errors="replace"),
            "error": engine["error"].decode(errors="replace"),
            "rate": float(engine["sample_rate"]),
            "block": int(engine["block"]),
            "channels": int(engine["channels"]),
            "realtime": int(engine["realtime"]),
            "locked": self._decks.loader.locked,
            "journal": self.journal.describe() if self.journal else None,
            "snapshot": self.snapshots.describe() if self.snapshots else None,
            "record": self._sound.recorder.describe(),
            "decks": [self._decks.describe(deck) for deck in range(DECKS)],
            "effects": self._effects.describe(),
            "pads": self._pads.errors(),
        }

    @verb(scope="read")
    def ping(self) -> dict[str, Any]:
        """Return the time since the main thread's last check: requests have their own threads."""
        return {"idle_s": time.monotonic() - self._keeper.watched_at}

    @verb(scope="admin")
    def wake(self, handed: Annotated[list[int], GIVEN]) -> dict[str, Any]:
        """Write to an eventfd from now on whenever there are reports.

        The audio thread may be about to write to the previous one: its number stays, and the new
        one takes its place.
        """
        if len(handed) != 1:
            raise Refused("one eventfd is needed", "send it with the request (SCM_RIGHTS)")
        os.set_blocking(handed[0], False)
        with self._wake_mutex:
            if self._wake_fd < 0:
                self._wake_fd = fcntl.fcntl(handed[0], fcntl.F_DUPFD_CLOEXEC, 3)
            else:
                os.dup2(handed[0], self._wake_fd, inheritable=False)
            self._dsp.record["wake_fd"] = self._wake_fd
        return {}

    @verb(scope="perform", slow=True)
    def fx_patch(self, unit: Unit, slot: FxSlot, name: Text, path: Text) -> dict[str, Any]:
        """Let a slot have a user effect, see `UserEffects.choose`."""
        self._effects.choose(unit, slot, name, path)
        return {}

    @verb(scope="perform", slow=True)
    def fx_reload(self) -> dict[str, Any]:
        """Start the processes of all user effects again."""
        return {"reloaded": self._effects.reload()}

    @verb(scope="read", slow=True)
    def midi_ports(self) -> dict[str, Any]:
        """Return the MIDI ports of devices and programs, see `Midi.ports`."""
        return self._midi.ports()

    @verb(scope="perform", slow=True)
    def midi_open(
        self, slot: Slot, name: Text, source: Text = "", sink: Text = ""
    ) -> dict[str, Any]:
        """Open a slot for a MIDI device, see `Midi.open`."""
        self._midi.open(slot, name, source, sink)
        return {}

    @verb(scope="perform", slow=True)
    def midi_close(self, slot: Slot) -> dict[str, Any]:
        """Close a slot; what is held is released."""
        self._midi.close(slot)
        return {}

    @verb(scope="perform")
    def midi_settings(
        self,
        slot: Slot,
        monitored: bool | None = None,
        clock_in: bool | None = None,
        clock_out: bool | None = None,
        clock_offset_s: Finite | None = None,
    ) -> dict[str, Any]:
        """Change a slot's settings; what is left out stays."""
        self._midi.settings(slot, monitored, clock_in, clock_out, clock_offset_s)
        return {}

    @verb(scope="perform", slow=True)
    def record_start(
        self,
        path: str = "",
        form: Text = "",
        decks: bool = False,
        stems: bool = False,
        split: bool | None = None,
        preroll_s: Finite | None = None,
    ) -> dict[str, Any]:
        """Begin a recording, see `Recorder.start`."""
        return self._sound.recorder.start(
            path=path, form=form, decks=decks, stems=stems, split=split, preroll_s=preroll_s
        )

    @verb(scope="perform", slow=True)
    def record_stop(self) -> dict[str, Any]:
        """End the recording, see `Recorder.stop`."""
        return self._sound.recorder.stop()

    @verb(scope="read")
    def record_status(self) -> dict[str, Any]:
        """Return the state of the recording, and what is kept to capture."""
        capture = self._sound.capture.describe()
        return {**self._sound.recorder.describe(), "capture": capture}

    @verb(scope="perform", slow=True)
    def capture(
        self,
        source: Text,
        path: str,
        bars: Finite | None = None,
        seconds: Finite | None = None,
    ) -> dict[str, Any]:
        """Save the last bars or seconds of a source, see `Sound.save`."""
        return self._sound.save(source, path, bars, seconds)

    @verb(scope="admin")
    def quit(self) -> dict[str, Any]:
        """End the process after this answer."""
        self._stop.set()
        return {}
