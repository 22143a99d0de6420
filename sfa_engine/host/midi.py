"""MIDI in the host: which devices are open, and by what the resolver runs.

============ ==================================== ============================================
driver       where                                who calls the resolver
============ ==================================== ============================================
``jack``     JACK or PipeWire answers             the server, in our client's own thread
``alsa``     no server, but the ALSA sequencer    a thread every millisecond
``none``     neither                              the same thread, for devices of the network
============ ==================================== ============================================

Only one of them at a time, so that the ring of commands has one writer. What is open stands in the
engine's memory: the next host opens it again, whether there is a stage or not.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import numpy as np

from sfa_engine.engine.atomic import store_release
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import SLOTS, Action, StateRule
from sfa_engine.engine.midi_clock import MIDI_CLOCK
from sfa_engine.errors import DeviceError, Refused
from sfa_engine.host import build, jack
from sfa_engine.host.build import Kernel
from sfa_engine.host.device import cut
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.midi_jack import JackMidi
from sfa_engine.host.midi_poll import PolledMidi
from sfa_engine.host.midi_state import MidiState, Mode
from sfa_engine.system import log

WATCH_S = 0.2  # between two looks at ports and server
STALLED_S = 1.0  # without a cycle: if the server does not answer either, it is gone
NAME_BYTES, PORT_BYTES = 127, 255


class Midi:
    """Opens and closes slots, and keeps them open: devices and servers go and come back.

    Parameters
    ----------
    memory : Memory
    dsp : DspState
    kernel : Kernel
    stop : threading.Event
        Set when the process ends.
    """

    def __init__(
        self, memory: Memory, dsp: DspState, kernel: Kernel, stop: threading.Event
    ) -> None:
        self.state = MidiState(memory, dsp.address)
        self._slots = memory.engine["midi"]["slots"]
        self._clocks = memory.engine["midi_clock"]
        self._memory = memory
        self._callback = kernel.midi
        self._cycle = build.MIDI(kernel.midi)
        self._stop = stop
        self._mutex = threading.RLock()
        self._driver: JackMidi | PolledMidi | None = None
        self._present: dict[int, bool] = {}  # whether a slot's device was there at the last look
        self._cycles, self._moved_s = 0, time.monotonic()
        self._adopted = [slot for slot in range(SLOTS) if self._slots[slot]["open"]]
        for slot in self._adopted:
            self._let_go(slot)

    def _let_go(self, slot: int) -> None:
        """Clear the bits of modifiers that were held when the host before ended."""
        midi = self._memory.engine["midi"]
        table = midi["tables"][int(midi["serial"]) & 1]
        rows = table["binding"][: int(table["bindings"])]
        held = (rows["slot"] == slot) & (rows["action"] == Action.STATE)
        for mask in rows["state_mask"][held & (rows["state_rule"] == StateRule.HOLD)]:
            self._slots[slot]["state"] &= ~int(mask)

    # ------------------------------------------------------------------ requests

    def ports(self) -> dict[str, Any]:
        """Return the driver and the ports of others.

        Each has ``id``, ``name`` as a person reads it, ``device``, and ``direction``: ``in`` is
        from the device, ``out`` to it.
        """
        with self._mutex:
            driver = self._open_driver()
            if isinstance(driver, JackMidi):
                return {"driver": "jack", "ports": driver.ports()}
            try:
                return {"driver": "alsa", "ports": driver.ports()}
            except DeviceError:
                return {"driver": "none", "ports": []}

    def open(self, slot: int, name: str, source: str = "", sink: str = "") -> None:
        """Open a slot for a device.

        Parameters
        ----------
        source, sink : str
            Ids of its ports; both empty if the stage reaches it itself.

        Raises
        ------
        Refused
            One of its ports is not there.
        """
        with self._mutex:
            driver = self._open_driver()
            for port in (source, sink):
                if len(port.encode()) > PORT_BYTES:
                    raise Refused(f'"{port:.60}…" is too long for a MIDI port', "rename it")
                if not driver.has(port):
                    raise Refused(f'no MIDI port "{port}"', "list them with midi.ports")
            if self._slots[slot]["open"]:
                self._close(slot)
            record = self._slots[slot]
            for count in ("received", "sent", "dropped"):
                record[count] = 0
            record["name"] = cut(name, NAME_BYTES)
            record["source"], record["sink"] = cut(source, PORT_BYTES), cut(sink, PORT_BYTES)
            self._clocks[slot] = np.zeros(1, MIDI_CLOCK)[0]  # it is another device
            record["open"] = 1
            self._connect(slot)

    def close(self, slot: int) -> None:
        """Close a slot; what is held is released."""
        with self._mutex:
            if self._slots[slot]["open"]:
                self._close(slot)

    def settings(
        self,
        slot: int,
        monitored: bool | None,
        clock_in: bool | None,
        clock_out: bool | None,
        clock_offset_s: float | None,
    ) -> None:
        """Change what is given of a slot's settings."""
        record = self._slots[slot]
        given = (
            ("monitored", monitored),
            ("clock_in", clock_in),
            ("clock_out", clock_out),
            ("clock_offset", clock_offset_s),
        )
        for name, value in given:
            if value is not None:
                record[name] = value

    # ------------------------------------------------------------------ slots

    def _ids(self, slot: int) -> tuple[str, str]:
        record = self._slots[slot]
        return record["source"].decode(errors="replace"), record["sink"].decode(errors="replace")

    def _connect(self, slot: int) -> None:
        """Open a slot by the driver that there is, if its device is there."""
        driver = self._open_driver()
        source, sink = self._ids(slot)
        if not source and not sink:
            store_release(self.state.port_address(slot, "wanted"), Mode.STAGE)
            driver.activate()
            driver.acknowledged(slot)
            self._present[slot] = True
            return
        self._present[slot] = False  # what fails is tried again at the next look
        if driver.has(source) and driver.has(sink):
            name = self._slots[slot]["name"].decode(errors="replace")
            driver.open(slot, name, source, sink)
            self._present[slot] = True
            self._slots[slot]["opened"] += 1

    def _close(self, slot: int) -> None:
        self._slots[slot]["open"] = 0
        if self._driver is not None:
            self._driver.close_slot(slot)
        self._present.pop(slot, None)

    # ------------------------------------------------------------------ driver

    def _open_driver(self) -> JackMidi | PolledMidi:
        """Return what runs the resolver, opened if it is not."""
        if self._driver is None:
            self._driver = self._jack() or PolledMidi(self.state, self._cycle)
            self._moved_s = time.monotonic()
        return self._driver

    def _jack(self) -> JackMidi | None:
        if not jack.server() or jack.outdated():
            return None
        try:
            return JackMidi(self.state, self._callback)
        except DeviceError:
            return None

    def run(self) -> None:
        """Watch devices and server until stopped."""
        with self._mutex:
            for slot in self._adopted:
                # A request may have opened or closed it meanwhile.
                if self._slots[slot]["open"] and slot not in self._present:
                    with contextlib.suppress(DeviceError):
                        self._connect(slot)
        trouble = ""
        while not self._stop.wait(WATCH_S):
            try:
                with self._mutex:
                    self._watch()
            except Exception as error:  # noqa: BLE001 - else nothing would be opened ever again
                if repr(error) != trouble:
                    log.write("warning", f"MIDI: {error!r}")
                trouble = repr(error)
        self.end()

    def end(self) -> None:
        """Let the ports go."""
        with self._mutex:
            driver, self._driver = self._driver, None
            if driver is not None:
                driver.close()

    def _watch(self) -> None:
        if self._driver is None or not self._driver.is_active:
            midi = self._memory.engine["midi"]
            midi["used"] = midi["serial"]  # nobody reads a table
        if self._driver is None:
            return
        if isinstance(self._driver, JackMidi):
            if self._is_gone():
                self._change_driver()
        elif jack.server() and not jack.outdated():
            self._change_driver()
        for slot, was_there in list(self._present.items()):
            there = all(map(self._driver.has, self._ids(slot)))
            if there and was_there and self._driver.has_lost(slot):
                self._driver.close_slot(slot)  # which releases what was held
                self._connect(slot)
            elif there and not was_there:
                self._connect(slot)
            elif was_there and not there:
                self._present[slot] = False
                self._driver.close_slot(slot)

    def _is_gone(self) -> bool:
        """Return whether JACK runs no cycle any more, and does not answer."""
        now_s, cycles = time.monotonic(), int(self.state.record["cycles"])
        if cycles != self._cycles:
            self._cycles, self._moved_s = cycles, now_s
        if now_s - self._moved_s <= STALLED_S:
            return False
        self._moved_s = now_s  # nothing runs while no slot is open
        return jack.gone()

    def _change_driver(self) -> None:
        """Run the resolver by another driver: the server has gone, or come."""
        assert self._driver is not None
        log.write("info", "MIDI: the sound server has gone or come back, opening ports again")
        self._driver.close()
        self._driver = None
        for slot in range(SLOTS):
            store_release(self.state.port_address(slot, "wanted"), Mode.CLOSED)
        self._cycle(0, self.state.address)  # releases what is held
        self._open_driver()
        for slot in list(self._present):
            with contextlib.suppress(DeviceError):
                self._connect(slot)
