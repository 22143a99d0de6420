"""Our MIDI client on JACK or PipeWire: ports and links; its process callback is compiled.

A device's slot has an input and an output of ours, named after the device. The callback uses
their handles while the slot's mode says so, and is waited for before they are unregistered.
"""

from __future__ import annotations

import ctypes
import time
from typing import Any

from sfa_engine.engine.atomic import load_acquire, store_release
from sfa_engine.errors import DeviceError
from sfa_engine.host import jack
from sfa_engine.host.midi_state import MidiState, Mode

CLIENT = "Sound Forge Alchemy MIDI"
MIDI = b"8 bit raw midi"  # JACK_DEFAULT_MIDI_TYPE
ALIAS_BYTES = 512  # jack_port_name_size is 320
MAX_NAME = 80  # characters of a device's name in a port's
ACKNOWLEDGE_S = 0.25  # for the callback to take notice: dozens of cycles
BRIDGES = frozenset({"system", "a2j", "alsa_pcm", "alsa_midi", "Midi-Bridge"})

_V, _S, _I, _U, _L = (
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_uint32,
    ctypes.c_ulong,
)
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "jack_set_process_callback": (_I, _V, _V, _V),
    "jack_activate": (_I, _V),
    "jack_get_client_name": (_S, _V),
    "jack_port_register": (_V, _V, _S, _S, _L, _L),
    "jack_port_unregister": (_I, _V, _V),
    "jack_port_name": (_S, _V),
    "jack_port_get_aliases": (_I, _V, ctypes.POINTER(_S)),
}
# What compiled code calls, and where it finds the address.
_CALLED = {
    "port_get_buffer": "jack_port_get_buffer",
    "event_count": "jack_midi_get_event_count",
    "event_get": "jack_midi_event_get",
    "event_write": "jack_midi_event_write",
    "clear_buffer": "jack_midi_clear_buffer",
    "last_frame_time": "jack_last_frame_time",
}


class JackMidi(jack.Graph):
    """The client, opened; it runs from the first slot on.

    Parameters
    ----------
    state : MidiState
    callback : int
        Address of the compiled process callback.

    Attributes
    ----------
    is_active : bool
        Whether the callback runs.

    Raises
    ------
    DeviceError
        No server answers.
    """

    def __init__(self, state: MidiState, callback: int) -> None:
        super().__init__(CLIENT)
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(self._jack, name)
            function.restype = result
            function.argtypes = arguments
        self._state = state
        self.name = self._jack.jack_get_client_name(self._client).decode()
        self.is_active = False
        self._linked: dict[int, set[str]] = {}  # ports of others that a slot was linked to
        for field, name in _CALLED.items():
            function = getattr(self._jack, name)
            state.record[field] = ctypes.cast(function, ctypes.c_void_p).value
        state.record["client"] = self._client
        self._jack.jack_set_process_callback(self._client, callback, state.address)

    def activate(self) -> None:
        """Let the callback run."""
        if self.is_active:
            return
        if self._jack.jack_activate(self._client) != 0:
            raise DeviceError("the MIDI client cannot be activated", "restart JACK or PipeWire")
        self.is_active = True

    def close(self) -> None:
        """Let the server go; the callback does not run any more when this returns."""
        super().close()
        self._state.record["client"] = 0
        for name in ("input", "output", "buffer"):
            self._state.record["port"][name] = 0

    # ------------------------------------------------------------------ the graph

    def ports(self) -> list[dict[str, str]]:
        """Return the MIDI ports of others; see `Midi.ports`."""
        found = []
        for flags, direction in ((jack.IS_OUTPUT, "in"), (jack.IS_INPUT, "out")):
            listed = self._jack.jack_get_ports(self._client, None, MIDI, flags)
            for port in self._take(listed):
                # A name that is no UTF-8 cannot be told to anybody.
                is_text = jack.encoded(port).decode(errors="ignore") == port
                if not is_text or port.partition(":")[0] == self.name:
                    continue
                name, device = _readable(port, self._aliases(port))
                found.append({"id": port, "name": name, "device": device, "direction": direction})
        return found

    def _aliases(self, port: str) -> list[str]:
        handle = self._jack.jack_port_by_name(self._client, jack.encoded(port))
        if not handle:
            return []
        texts = [ctypes.create_string_buffer(ALIAS_BYTES) for _ in range(2)]
        array = (ctypes.c_char_p * 2)(*(ctypes.cast(text, ctypes.c_char_p) for text in texts))
        count = self._jack.jack_port_get_aliases(handle, array)
        return [text.value.decode(errors="replace") for text in texts[: max(0, count)]]

    def has(self, port: str) -> bool:
        """Return whether a port is there; none at all is."""
        return not port or bool(self._jack.jack_port_by_name(self._client, jack.encoded(port)))

    # ------------------------------------------------------------------ slots

    def open(self, slot: int, name: str, source: str, sink: str) -> None:
        """Register a slot's ports, link them to a device's, then let the callback use them."""
        self.activate()
        port = self._state.record["port"][slot]
        label = name.replace(":", " ").strip()[:MAX_NAME] or f"device {slot + 1}"
        for field, word, flags in (
            ("input", "in", jack.IS_INPUT),
            ("output", "out", jack.IS_OUTPUT),
        ):
            port[field] = self._register(f"{label} {word}", flags) or self._register(
                f"{label} {slot + 1} {word}", flags
            )
        if source and port["input"]:
            self.link(source, self._name_of(int(port["input"])))
        if sink and port["output"]:
            self.link(self._name_of(int(port["output"])), sink)
        self._linked[slot] = self._links_of(slot)
        store_release(self._state.port_address(slot, "wanted"), Mode.JACK)
        self.acknowledged(slot)

    def has_lost(self, slot: int) -> bool:
        """Return whether a slot's ports have lost a link: the device went, and came back at once.

        A system takes links away with the port. It cannot be seen in a name that is there again.
        """
        return not self._linked.get(slot, set()) <= self._links_of(slot)

    def _links_of(self, slot: int) -> set[str]:
        """Return the ports of others that a slot's are linked to."""
        handles = [int(self._state.record["port"][slot][name]) for name in ("input", "output")]
        return {
            port for handle in handles if handle for port in self.links(self._name_of(handle)) or ()
        }

    def _register(self, name: str, flags: int) -> int:
        return int(
            self._jack.jack_port_register(self._client, jack.encoded(name), MIDI, flags, 0) or 0
        )

    def _name_of(self, handle: int) -> str:
        return str(self._jack.jack_port_name(handle).decode(errors="surrogateescape"))

    def close_slot(self, slot: int) -> None:
        """Have the callback release what is held, then unregister a slot's ports."""
        store_release(self._state.port_address(slot, "wanted"), Mode.CLOSED)
        self.acknowledged(slot)
        self._linked.pop(slot, None)
        port = self._state.record["port"][slot]
        for field in ("input", "output"):
            handle, port[field] = int(port[field]), 0
            if handle:
                self._jack.jack_port_unregister(self._client, handle)

    def acknowledged(self, slot: int) -> bool:
        """Wait until the callback has taken notice of a slot's mode; return whether it has."""
        mode, wanted = (self._state.port_address(slot, name) for name in ("mode", "wanted"))
        give_up = time.monotonic() + ACKNOWLEDGE_S
        while load_acquire(mode) != load_acquire(wanted):
            if time.monotonic() > give_up:
                return False
            time.sleep(0.001)
        return True


def _readable(port: str, aliases: list[str]) -> tuple[str, str]:
    """Return a port's name as a person reads it, and its device's."""
    client, _, short = port.partition(":")
    if client == "system" and aliases:
        client, _, short = aliases[0].partition(":")
    if client in BRIDGES:
        return short, short.partition(":")[0].partition("/")[0].strip()
    return short, client
