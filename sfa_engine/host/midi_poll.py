"""The resolver without JACK: a thread that polls the ALSA sequencer and calls the same code.

python-rtmidi is polled, never given a callback: that would run Python in its own thread, and on
JACK in the audio server's, where each wait for the interpreter is an xrun.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from sfa_engine.engine.atomic import store_release
from sfa_engine.errors import DeviceError
from sfa_engine.host import realtime
from sfa_engine.host.midi_state import INBOX, INBOX_BYTES, PERIOD_S, MidiState, Mode

PRIORITY = 40  # below the audio thread
CLIENT = "Sound Forge Alchemy MIDI"
ACKNOWLEDGE_S = 0.25


class PolledMidi:
    """The thread, and the devices that it polls.

    Parameters
    ----------
    state : MidiState
    cycle : callable
        The compiled resolver; takes 0 and the state's address.
    api : int, optional
        Of python-rtmidi; ALSA's if left out.
    """

    def __init__(
        self, state: MidiState, cycle: Callable[[int, int], int], api: int | None = None
    ) -> None:
        self._state = state
        self._cycle = cycle
        self._api = api
        self._devices: dict[int, tuple[Any, Any]] = {}
        self._in_use = threading.Lock()  # the devices: none is freed while the thread asks it
        self._pending: list[tuple[int, bytes]] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._scanner: tuple[Any, Any] | None = None

    @property
    def is_active(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    # ------------------------------------------------------------------ ports

    def _rtmidi(self) -> tuple[Any, int]:
        """Return python-rtmidi and the system that is asked for ports."""
        import rtmidi  # 20 ms, and not needed with JACK

        return rtmidi, self._api if self._api is not None else rtmidi.API_LINUX_ALSA

    def _kept(self) -> tuple[Any, Any]:
        """Return the pair that looks for ports: python-rtmidi fails after 100 of them."""
        if self._scanner is None:
            rtmidi, api = self._rtmidi()
            try:
                self._scanner = (
                    rtmidi.MidiIn(api, f"{CLIENT} scan"),
                    rtmidi.MidiOut(api, f"{CLIENT} scan"),
                )
            except rtmidi.RtMidiError as error:
                raise DeviceError(f"no MIDI system answers: {error}", "load snd-seq") from None
        return self._scanner

    def ports(self) -> list[dict[str, str]]:
        """Return the MIDI ports of others; see `Midi.ports`. `DeviceError`: there is no system."""
        found = []
        for scanner, direction in zip(self._kept(), ("in", "out"), strict=True):
            for port in scanner.get_ports():
                device, _, name = port.partition(":")
                if not device.startswith(CLIENT):
                    found.append(
                        {"id": port, "name": name or port, "device": device, "direction": direction}
                    )
        return found

    def has_lost(self, _slot: int) -> bool:
        """Return False: what returns has another number in its name."""
        return False

    def has(self, port: str) -> bool:
        """Return whether a port is there; none at all is."""
        try:
            return not port or any(port in scanner.get_ports() for scanner in self._kept())
        except DeviceError:
            return False

    # ------------------------------------------------------------------ slots

    def open(self, slot: int, name: str, source: str, sink: str) -> None:
        """Open a device's ports, then let the resolver use them."""
        rtmidi, api = self._rtmidi()
        opened: list[Any] = []
        try:
            for kind, scanner, port in zip(
                (rtmidi.MidiIn, rtmidi.MidiOut), self._kept(), (source, sink), strict=True
            ):
                opened.append(kind(api, CLIENT) if port else None)
                if port and kind is rtmidi.MidiIn:
                    opened[-1].ignore_types(sysex=False, timing=False, active_sense=True)
                if port:
                    opened[-1].open_port(scanner.get_ports().index(port), name)
        except (rtmidi.RtMidiError, ValueError) as error:  # it has just been pulled out
            _free(opened)
            raise DeviceError(f'"{name}" cannot be opened: {error}', "plug it in again") from None
        with self._in_use:
            self._devices[slot] = opened[0], opened[1]
        self.activate()
        self._set_mode(slot, Mode.QUEUE)
        self.acknowledged(slot)

    def close_slot(self, slot: int) -> None:
        """Release what is held and close a device."""
        self._set_mode(slot, Mode.CLOSED)
        self.acknowledged(slot)
        with self._in_use:
            gone = self._devices.pop(slot, ())
        _free(gone)

    def _set_mode(self, slot: int, mode: Mode) -> None:
        store_release(self._state.port_address(slot, "wanted"), mode)

    def acknowledged(self, slot: int) -> bool:
        """Wait until the thread has taken notice of a slot's mode; return whether it has."""
        port = self._state.record["port"][slot]
        give_up = time.monotonic() + ACKNOWLEDGE_S
        while port["mode"] != port["wanted"]:
            if time.monotonic() > give_up or self._thread is None:
                return False
            time.sleep(PERIOD_S)
        return True

    # ------------------------------------------------------------------ the thread

    def activate(self) -> None:
        """Start the thread, if it does not run."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop the thread; the resolver does not run any more when this returns."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for slot in list(self._devices):
            _free(self._devices.pop(slot))

    def _run(self) -> None:
        realtime.raise_thread(threading.get_native_id(), PRIORITY)
        while not self._stop.wait(PERIOD_S):
            with self._in_use:
                self._pending += self._received()
                while True:
                    self._hand_over()
                    self._cycle(0, self._state.address)
                    self._send()
                    if not self._pending:
                        break

    def _received(self) -> Iterator[tuple[int, bytes]]:
        for slot, (source, _) in self._devices.items():
            while source is not None and (got := source.get_message()) is not None:
                data = bytes(got[0])
                for at in range(0, len(data), INBOX_BYTES):
                    yield slot, data[at : at + INBOX_BYTES]

    def _hand_over(self) -> None:
        """Put as much into the inbox as there is room for."""
        taken, self._pending = self._pending[:INBOX], self._pending[INBOX:]
        for message, (slot, data) in zip(self._state.record["inbox"], taken, strict=False):
            message["slot"], message["length"] = slot, len(data)
            message["data"][: len(data)] = np.frombuffer(data, np.uint8)
        self._state.record["inbox_count"] = len(taken)

    def _send(self) -> None:
        """Send what the resolver has put into the outbox."""
        state = self._state.record
        end = int(state["outbox_length"])
        if not end:
            return
        data = state["outbox"][:end].tobytes()
        state["outbox_length"] = 0
        at = 0
        while at < end:
            slot, length = data[at], int.from_bytes(data[at + 1 : at + 4], "little")
            message = data[at + 4 : at + 4 + length]
            at += 4 + length
            device = self._devices.get(slot, (None, None))[1]
            if device is not None:
                with contextlib.suppress(Exception):  # a device that is being pulled out
                    device.send_message(message)


def _free(devices: Iterable[Any]) -> None:
    for device in devices:
        if device is not None:
            device.close_port()
            device.delete()
