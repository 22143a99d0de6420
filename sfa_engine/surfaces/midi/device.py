"""Devices: ports in pairs, and which slot each has. Pure.

A device that is pulled out and plugged in again has the slot that it had, and so has the second of
two of one kind. What tells these apart is the port's id, where it stays the same, else their order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from sfa_engine.engine.midi import SLOTS

# Words for a port's direction, cut off its name: "Foo MIDI Out", "midi/capture_1".
_DIRECTION = re.compile(
    r"\(?(?<![a-z])(midi[ /_-]*)?(input|output|in|out|capture|playback)(?![a-z])\)?", re.IGNORECASE
)
# Numbers of ALSA's clients, which are others when a device is plugged in again: "[20]", "20:0".
_NUMBER = re.compile(r"\[\d+\]|(?<=\s)\d+:\d+$")
MAX_REMEMBERED = 4 * SLOTS


@dataclass(frozen=True)
class Device:
    """A controller that is plugged in.

    Attributes
    ----------
    name : str
        As a person reads it; devices of one kind have the same.
    client : str
        Of the sound system, as it calls it.
    source, sink : str
        Ids of the ports that it is heard from, and that it hears; empty where there is none.
    """

    name: str
    client: str
    source: str
    sink: str

    @property
    def id(self) -> str:
        """What tells it from others while it is plugged in."""
        return self.source or self.sink

    @property
    def names(self) -> tuple[str, ...]:
        """What profiles are matched with, the best first."""
        return (self.name, f"{self.client} {self.name}")


def devices_of(ports: Sequence[Mapping[str, str]], ignore: Iterable[str] = ()) -> list[Device]:
    """Return the devices that ports belong to, inputs and outputs in pairs.

    Parameters
    ----------
    ports : sequence of mapping
        As the host lists them: ``id``, ``name``, ``device`` and ``direction``.
    ignore : iterable of str
        Regular expressions of names that are left out.
    """
    ignored = [re.compile(each, re.IGNORECASE) for each in ignore]
    clients: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for port in ports:
        names = (port["name"].strip(), f"{port['device'].strip()} {port['name'].strip()}")
        if not any(each.search(name) for each in ignored for name in names):
            clients[_plain(port["device"])].append(port)
    return [device for client in clients.values() for device in _pairs(client)]


def _pairs(ports: Sequence[Mapping[str, str]]) -> Iterable[Device]:
    """Yield the devices of one client: ports of one name, or one that is left of each kind."""
    sources = [port for port in ports if port["direction"] == "in"]
    sinks = [port for port in ports if port["direction"] == "out"]
    partners: dict[str, Mapping[str, str]] = {}
    for of in (_exact, _without_direction):
        for source in sources:
            if source["id"] not in partners:
                found = next((s for s in sinks if of(s) == of(source)), None)
                if found is not None:
                    partners[source["id"]] = found
                    sinks.remove(found)
    left = [source for source in sources if source["id"] not in partners]
    if len(left) == len(sinks) == 1:
        partners[left[0]["id"]] = sinks.pop()
    for source in sources:
        sink = partners.get(source["id"])
        ids = (source["id"], sink["id"] if sink is not None else "")
        yield Device(_title(source), source["device"].strip(), *ids)
    for sink in sinks:
        yield Device(_title(sink), sink["device"].strip(), "", sink["id"])


def _exact(port: Mapping[str, str]) -> str:
    return port["name"].strip()


def _without_direction(port: Mapping[str, str]) -> str:
    return _plain(port["name"])


def _plain(name: str) -> str:
    """Return a name without what tells a direction."""
    return " ".join(_DIRECTION.sub(" ", name).split()).strip(" :_/-")


def _title(port: Mapping[str, str]) -> str:
    """Return what to call the device of a port: the same whenever it is plugged in."""
    client, name = (
        _plain(_NUMBER.sub("", _plain(port[key].strip()))) for key in ("device", "name")
    )
    first, _, rest = (part.strip() for part in name.partition(":"))
    if rest.startswith(first):  # "nanoKONTROL2:nanoKONTROL2 MIDI 1"
        name = rest
    if not client or client.casefold() in name.casefold():
        return name or client or port["id"]
    if client.casefold().endswith(f" {name.casefold()}"):
        return client
    return f"{client} {name}".strip()


class Remembered(msgspec.Struct):
    """A device that had a slot."""

    name: str
    id: str
    slot: int


class Slots:
    """Which slot each device has.

    Parameters
    ----------
    remembered : sequence of Remembered
        Of earlier runs; the one that was there last comes last.
    """

    def __init__(self, remembered: Sequence[Remembered] = ()) -> None:
        self.remembered = [each for each in remembered if 0 <= each.slot < SLOTS]
        self.devices: dict[int, Device] = {}

    def plug(self, devices: Iterable[Device]) -> list[int]:
        """Give slots to devices that have none yet; return those slots.

        A device that finds no room is left out until another is unplugged.
        """
        there = {device.id for device in self.devices.values()}
        new = [device for device in devices if device.id not in there]
        given = []
        # Those that are known by their ids first: others of their kind take what is left.
        for same_id in (True, False):
            for device in list(new):
                slot = self._slot_of(device, same_id=same_id)
                if slot is not None:
                    new.remove(device)
                    self._remember(device, slot)
                    self.devices[slot] = device
                    given.append(slot)
        return given

    def adopt(self, slot: int, device: Device) -> None:
        """Have a device in a slot in which it is open already."""
        if slot not in self.devices and device not in self.devices.values():
            self._remember(device, slot)
            self.devices[slot] = device

    def unplug(self, kept: Iterable[Device]) -> list[int]:
        """Free the slots of all devices but some; return them.

        A device that has got its second port since is another, which `plug` gives the same slot:
        systems list the ports of a device one after the other.
        """
        there = set(kept)
        gone = [slot for slot, device in self.devices.items() if device not in there]
        for slot in gone:
            del self.devices[slot]
        return gone

    def _slot_of(self, device: Device, *, same_id: bool) -> int | None:
        free = [each for each in self.remembered if each.slot not in self.devices]
        of_kind = [each for each in free if each.name == device.name]
        known = next((each.slot for each in of_kind if each.id == device.id), None)
        if known is not None or same_id:
            return known
        if of_kind:
            return min(each.slot for each in of_kind)
        taken = {each.slot for each in self.remembered} | self.devices.keys()
        unused = [slot for slot in range(SLOTS) if slot not in taken]
        if unused:
            return unused[0]
        return free[0].slot if free else None  # of the one that is gone longest

    def _remember(self, device: Device, slot: int) -> None:
        others = [each for each in self.remembered if each.slot != slot]
        self.remembered = [*others, Remembered(device.name, device.id, slot)][-MAX_REMEMBERED:]

    def title(self, slot: int) -> str:
        """Return what to call a device: with a number where several have its name."""
        device = self.devices[slot]
        alike = sorted(s for s, d in self.devices.items() if d.name == device.name)
        return device.name if len(alike) == 1 else f"{device.name} #{alike.index(slot) + 1}"
