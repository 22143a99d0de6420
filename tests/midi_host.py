"""A host of which only MIDI is there, in threads of the test: it speaks the host's protocol."""

from __future__ import annotations

import struct
import threading
import time
from typing import Any

import numpy as np

from sfa_engine.engine.atomic import load_acquire, store_release
from sfa_engine.engine.layout import MIDI
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import (
    EVENT_BYTES,
    EVENTS,
    FEEDS,
    SLOTS,
    Action,
    EventKind,
    FeedKind,
    Kind,
    key,
)
from sfa_engine.errors import EngineError, Refused
from sfa_engine.host.request_server import RequestServer
from sfa_engine.surfaces.midi.message import parse
from sfa_engine.system.runtime_files import ENGINE_MEMORY, HOST_SOCKET
from sfa_engine.system.unix_socket import listen_unix
from sfa_engine.wire.verbs import verb

_EVENT = struct.Struct(f"<3i2hqdq{EVENT_BYTES}s")


class MidiHost:
    """Ports that are plugged in by `plug`, and slots that hold what the stage opens."""

    def __init__(self, runtime):
        self.memory = Memory.create(runtime / ENGINE_MEMORY)
        self.memory.engine["sample_rate"] = 48_000.0
        self.memory.engine["host_started_ns"] = time.monotonic_ns()
        self.ports: list[dict[str, str]] = []
        self.requests: list[tuple[str, Any]] = []
        self.sent: dict[int, list[bytes]] = {slot: [] for slot in range(SLOTS)}
        self.resyncs: list[int] = []
        self.fails = False  # to close
        self._begun: dict[int, bytes] = {}
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._socket = listen_unix(runtime / HOST_SOCKET, backlog=16)
        server = RequestServer(self, self._stop)
        for run in (lambda: server.serve(self._socket), self._resolve):
            threading.Thread(target=run, daemon=True).start()

    @property
    def midi(self):
        return self.memory.engine["midi"]

    def close(self):
        self._stop.set()
        self._socket.close()

    # ------------------------------------------------------------------ plugs

    def plug(self, name, device=None, both=True):
        """Plug in a controller; return the ids of its ports."""
        number = time.monotonic_ns()
        made = []
        for direction in ("in", "out") if both else ("in",):
            port = {
                "id": f"{direction}-{number}",
                "name": name,
                "device": device or name,
                "direction": direction,
            }
            made.append(port)
        self.ports = [*self.ports, *made]
        return [port["id"] for port in made]

    def unplug(self, ids):
        self.ports = [port for port in self.ports if port["id"] not in ids]

    # ------------------------------------------------------------------ requests

    @verb(scope="read")
    def midi_ports(self) -> dict[str, Any]:
        return {"driver": "jack", "ports": self.ports}

    @verb(scope="admin")
    def midi_open(self, slot: int, name: str, source: str = "", sink: str = "") -> dict[str, Any]:
        ids = {port["id"] for port in self.ports}
        if {source, sink} - {""} - ids:
            raise Refused("no such port", "look again")
        self.requests.append(("open", slot))
        there = self.midi["slots"][slot]
        for field, value in (("name", name), ("source", source), ("sink", sink)):
            there[field] = value.encode()
        there["open"] = 1
        return {}

    @verb(scope="admin")
    def midi_close(self, slot: int) -> dict[str, Any]:
        if self.fails:
            raise EngineError("a host that is being restarted", "wait")
        self.requests.append(("close", slot))
        self.midi["slots"][slot]["open"] = 0
        return {}

    @verb(scope="admin")
    def midi_settings(
        self,
        slot: int,
        monitored: bool | None = None,
        clock_in: bool | None = None,
        clock_out: bool | None = None,
        clock_offset_s: float | None = None,
    ) -> dict[str, Any]:
        there = self.midi["slots"][slot]
        for field, value in (
            ("monitored", monitored),
            ("clock_in", clock_in),
            ("clock_out", clock_out),
            ("clock_offset", clock_offset_s),
        ):
            if value is not None:
                there[field] = value
        return {}

    # ------------------------------------------------------------------ resolver

    def _address(self, name):
        return self.memory.field_address("midi") + MIDI.fields[name][1]

    def _resolve(self):
        while not self._stop.wait(0.002):
            store_release(self._address("used"), load_acquire(self._address("serial")))
            head, tail = (load_acquire(self._address(f"feed_{end}")) for end in ("head", "tail"))
            for place in range(tail, head):
                self._take(self.midi["feed"][place % FEEDS].copy())
            store_release(self._address("feed_tail"), head)

    def _take(self, record):
        slot, kind = int(record["slot"]), FeedKind(int(record["kind"]))
        data = record["data"].tobytes()[: int(record["length"])]
        if kind is FeedKind.OUT:
            self._begun[slot] = self._begun.get(slot, b"") + data
            if not record["more"]:
                self.sent[slot].append(self._begun.pop(slot))
        elif kind is FeedKind.IN:
            self.receive(slot, data)
        elif kind is FeedKind.RESYNC:
            self.resyncs.append(slot)
        else:
            state = self.midi["slots"][slot]
            mask, value = int(record["frame"]), int.from_bytes(data, "little", signed=True)
            state["state"] = (int(state["state"]) & ~mask) | value

    @property
    def bindings(self):
        table = self.midi["tables"][int(self.midi["serial"]) & 1]
        return table["binding"][: int(table["bindings"])]

    @property
    def lights(self):
        table = self.midi["tables"][int(self.midi["serial"]) & 1]
        return table["light"][: int(table["lights"])]

    def receive(self, slot, data):
        """Resolve a message of a controller: as the real one, as far as the stage is concerned."""
        message = parse(data)
        found = np.zeros(0)
        if message is not None and message.kind is not Kind.NRPN:
            table = self.bindings
            place = key(slot, message.kind, message.channel, message.number)
            state = int(self.midi["slots"][slot]["state"])
            found = table[(table["key"] == place) & ((state & table["mask"]) == table["want"])]
            for row in found[found["action"] == Action.STAGE] if len(found) else ():
                self.event(EventKind.STAGE, slot, int(row["number"]), x=message.value / 127)
        if self.midi["slots"][slot]["monitored"] or not len(found):
            parts = [data[k : k + EVENT_BYTES] for k in range(0, len(data), EVENT_BYTES)]
            for number, part in enumerate(parts, 1):
                more = int(number < len(parts))
                self.event(EventKind.MESSAGE, slot, 0, more=more, data=part)

    def event(self, kind, slot, number=0, *, x=0.0, state=0, more=0, data=b""):
        with self._writing:
            head = load_acquire(self._address("event_head"))
            while head - load_acquire(self._address("event_tail")) >= EVENTS:
                time.sleep(0.001)
            at = self.memory.offset("midi") + MIDI.fields["events"][1] + head % EVENTS * _EVENT.size
            _EVENT.pack_into(
                self.memory.buffer, at, kind, slot, number, len(data), more, 0, x, state, data
            )
            store_release(self._address("event_head"), head + 1)
