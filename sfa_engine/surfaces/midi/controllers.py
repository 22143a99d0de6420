"""The controllers that are plugged in: their slots, profiles and tables.

The host lists the ports, twice a second. What is new is opened in the slot that it had before, and
its profile's bindings are in force from then on, whatever becomes of this process; what is gone is
closed, which releases what it held. What the host has open already, a new stage goes on with.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import trio

from sfa_engine.desk import DECK_NAMES, DESK, Value
from sfa_engine.engine.command import Source
from sfa_engine.engine.midi import BINDING, LIGHT, SLOTS, EventKind, FeedKind
from sfa_engine.engine.midi_rings import Event
from sfa_engine.errors import Refused, SfaError, did_you_mean
from sfa_engine.stage.core import Core
from sfa_engine.stage.host_link import ask_host
from sfa_engine.stage.midi_ports import ExternalPort
from sfa_engine.stage.raw_bus import Message, fits
from sfa_engine.surfaces.midi.device import Device, Remembered, Slots, devices_of
from sfa_engine.surfaces.midi.layers import FOCUS, Layer
from sfa_engine.surfaces.midi.message import IDENTITY_REQUEST, SYSEX, SysexJoin, is_identity_reply
from sfa_engine.surfaces.midi.profile import (
    MAX_FILES,
    Profile,
    best_match,
    load_profiles,
    read_profile,
    read_text,
)
from sfa_engine.surfaces.midi.settings import MidiConfig
from sfa_engine.surfaces.midi.stage_lights import StageLight, due, stage_lights
from sfa_engine.surfaces.midi.table import Compiled, compile_profile
from sfa_engine.system.atomic import write_durably

logger = logging.getLogger(__name__)
PERIOD_S = 0.5  # between two looks: a device that is plugged in plays, and is lit, within a second
TABLE_RETRY_S = 0.005  # while the resolver has not taken the last table: a block, as a rule
TABLE_TIMEOUT_S = 0.5
IN_FORCE_TIMEOUT_S = 3.0
REMEMBERED = "midi-devices.json"  # in the data folder
USER_PROFILES = "profiles"  # in the data folder
NO_PROFILE = "none"
_COLOURED = frozenset(
    [cue.path for deck in DESK.deck.values() for cue in deck.hotcue.values()]
    + [pad.path for pad in DESK.pad.values()]
)
NETWORK = "network"  # client of the ports that the stage reaches itself

File = tuple[str, int, int]  # name, time of the last change in ns, bytes
MadeFor = tuple[str, int, int]  # text of a profile, number of the model, and of its colours
Heard = Callable[["Controller", bytes, int], None]  # a whole message, and its frame
StageEvent = Callable[["Controller", Event], None]


@dataclass(frozen=True)
class _Table:
    """A profile, compiled; `compiled` is None of one that could not be."""

    made_for: MadeFor | None
    compiled: Compiled | None
    lights: tuple[StageLight, ...]


@dataclass
class Controller:
    """A device in its slot.

    Attributes
    ----------
    port : ExternalPort or None
        What reaches it, if the stage does itself.
    is_open : bool
        Whether the host has it open.
    is_monitored : bool
        Whether the host tells of messages that are bound, too.
    needs_init : bool
        Whether it is to be sent what its profile says.
    opened : int
        `opened` of its slot when that was last seen: the host may have opened it again.
    compiled : Compiled or None
        What is in force: of an edited profile, the one before until it is compiled and written.
    compiled_for : MadeFor or None
        What `compiled` was made from.
    next_table : _Table or None
        What is compiled, and waits until the resolver has taken the last table.
    lights : tuple of StageLight
        Those that the stage sends.
    lights_due : int
        At how many looks they are to be sent again: the host may still be sending its own.
    error : str
        Why it is not open, or has no bindings.
    identity : bytes
        Its reply to an identity request.
    """

    slot: int
    device: Device
    title: str
    port: ExternalPort | None = None
    profile: Profile | None = None
    compiled: Compiled | None = None
    compiled_for: MadeFor | None = None
    next_table: _Table | None = None
    recolored: int = 0  # how often a hot cue of its lamps got another colour
    is_open: bool = False
    is_monitored: bool = False
    needs_init: bool = True
    opened: int = 0
    lights: tuple[StageLight, ...] = ()
    lights_due: int = 0
    error: str = ""
    identity: bytes = b""
    sysex: SysexJoin = field(default_factory=SysexJoin)
    unsent: int = 0  # messages of routes that found no room

    @property
    def wanted_for(self) -> MadeFor | None:
        """What `compiled` should be made from; None without a profile."""
        profile = self.profile
        if profile is None:
            return None
        return profile.text, profile.model_of(self.identity), self.recolored

    @property
    def source(self) -> int:
        """Who it is to the conductor."""
        return Source.MIDI + self.slot

    @property
    def host_ports(self) -> tuple[str, ...]:
        """Ids of the ports that the host opens; empty of a device that the stage reaches itself."""
        return ("", "") if self.port else (self.device.source, self.device.sink)


class _Memory(msgspec.Struct):
    """The file of the data folder."""

    devices: list[Remembered] = []
    profiles: dict[str, str] = {}  # that were chosen, by name of the device


class Controllers:
    """All controllers.

    Parameters
    ----------
    core : Core
    config : MidiConfig

    Attributes
    ----------
    open : dict of int to Controller
        What is plugged in, by slot.
    watchers : set
        Who wants to hear of every message: monitor, learn.
    """

    def __init__(self, core: Core, config: MidiConfig) -> None:
        self._core = core
        self._config = config
        self._link = core.midi
        self._memory = _read(core.data / REMEMBERED, _Memory)
        self.slots = Slots(self._memory.devices)
        self.open: dict[int, Controller] = {}
        self.driver = "none"
        self.error = ""
        self.folder = core.data / USER_PROFILES
        self.profiles: dict[str, Profile] = {}
        self._unsaved: dict[str, Profile] = {}  # of this session
        self._built_in: dict[str, Profile] = {}
        self._user: dict[File, Profile | None] = {}  # None: invalid
        self._is_profile_due = False
        self._external: dict[str, ExternalPort] = {}
        self._host_started_ns = 0
        self._is_other_host = True
        self._look_now = trio.Event()
        self._looking = trio.Lock()
        self._is_table_due = False
        self.watchers: set[object] = set()
        self.on_message: list[Heard] = []
        self.on_stage_event: list[StageEvent] = []
        self._link.listen(self._on_event)
        core.external_ports.listen(self)
        core.raw_bus.listen("midi", self._send_raw)
        core.conductor.listen(self._on_change)

    # ------------------------------------------------------------------ life

    async def run(self) -> None:
        """Follow what is plugged in and out, for as long as the stage lives."""
        try:
            while True:
                self._look_now = trio.Event()
                try:
                    await self.look()
                    self.error = ""
                except SfaError as error:  # the host is being restarted, say
                    if self.error != str(error):
                        self.error = str(error)
                        logger.info("no MIDI: %s", error)
                except Exception as error:  # must not end the stage, with all other surfaces
                    if self.error != repr(error):
                        self.error = repr(error)
                        logger.exception("controllers")
                with trio.move_on_after(PERIOD_S):
                    await self._look_now.wait()
        finally:
            for controller in self.open.values():
                for message in controller.profile.shutdown if controller.profile else ():
                    self._link.feed(FeedKind.OUT, controller.slot, message)

    async def look(self) -> None:
        """Open what is new, close what is gone, and take over profiles that were edited."""
        async with self._looking:
            said = await ask_host(self._core.runtime, "midi.ports")
            self.driver = str(said["driver"])
            self._follow_host()
            await self._read_profiles()
            found = devices_of(said["ports"], self._config.ignore)
            found += [Device(p.name, NETWORK, p.id, p.id) for p in self._external.values()]
            await self._close(self.slots.unplug(found))
            adopted = self._adopt(found) if self._is_other_host else []
            self._list([*adopted, *self.slots.plug(found)])
            new = [each for each in self.open.values() if not each.is_open]
            if new or self._is_table_due:
                await self._publish()
            for controller in new:
                await self._open(controller)
            await self._close_strays()
            for controller in self.open.values():
                if controller.is_open and controller.is_monitored != self._wants_all:
                    await self._set_up(controller)
                opened = int(self._link.slot(controller.slot)["opened"])
                if controller.is_open and opened != controller.opened:
                    controller.opened, controller.needs_init = opened, True
                is_in_force = controller.wanted_for == controller.compiled_for
                if controller.is_open and controller.needs_init and is_in_force:
                    await self._init(controller)
                if controller.lights_due:
                    controller.lights_due -= 1
                    self._light(controller)
            if self.slots.remembered != self._memory.devices:
                await self._keep()

    def _follow_host(self) -> None:
        """See whether the host is another one: what it has open its slots say."""
        host = self._core.conductor.host_started_ns
        if host != self._host_started_ns:
            self._host_started_ns = host
            self._is_other_host = self._is_table_due = True
            for controller in self.open.values():
                controller.is_open = False

    def _adopt(self, found: list[Device]) -> list[int]:
        """Give devices that an earlier stage opened the slots that they are open in."""
        adopted = []
        for slot in range(SLOTS):
            if slot in self.open or not self._link.slot(slot)["open"]:
                continue
            ports = self._host_ports(slot)
            device = next((d for d in found if any(ports) and (d.source, d.sink) == ports), None)
            if device is not None:
                self.slots.adopt(slot, device)
                if self.slots.devices.get(slot) is device:
                    adopted.append(slot)
        return adopted

    def _host_ports(self, slot: int) -> tuple[str, ...]:
        """Return ids of the ports that the host has open in a slot."""
        there = self._link.slot(slot)
        return tuple(there[name].decode(errors="replace") for name in ("source", "sink"))

    async def _close_strays(self) -> None:
        """Have the host close what was pulled out while no stage ran."""
        if self._is_other_host:
            for slot in range(SLOTS):
                if self._link.slot(slot)["open"] and slot not in self.open:
                    await ask_host(self._core.runtime, "midi.close", slot=slot)
            self._is_other_host = False

    def _list(self, slots: Iterable[int]) -> None:
        """List devices that have got slots, with their profiles."""
        for slot in sorted(slots):
            device = self.slots.devices[slot]
            port = self._external.get(device.id)
            controller = Controller(slot, device, self.slots.title(slot), port)
            controller.profile = self._profile_for(controller)
            self.open[slot] = controller
        for slot, controller in self.open.items():
            controller.title = self.slots.title(slot)

    async def _open(self, controller: Controller) -> None:
        """Have the host open a device, and light it; go on with one that it has open."""
        slot, (source, sink) = controller.slot, controller.host_ports
        is_adopted = self._is_adopted(controller)
        if not is_adopted:
            given: dict[str, Any] = {"slot": slot, "source": source, "sink": sink}
            try:
                await ask_host(self._core.runtime, "midi.open", name=controller.title, **given)
            except Refused as error:
                if controller.error != str(error):
                    logger.warning("%s was not opened: %s", controller.title, error)
                controller.error = str(error)
                return
        controller.is_open, controller.error = True, ""
        await self._set_up(controller)
        controller.needs_init = not is_adopted
        if is_adopted:  # by the stage before, which knew its identity
            await self._ask_identity(controller)
        controller.opened = int(self._link.slot(slot)["opened"])
        if not is_adopted:
            self._greet(controller)

    def _is_adopted(self, controller: Controller) -> bool:
        """Return whether the host has a device open already, from before this stage."""
        there = self._link.slot(controller.slot)
        ports = self._host_ports(controller.slot)
        is_same = there["name"].decode(errors="replace") == controller.title or any(ports)
        return bool(there["open"]) and ports == controller.host_ports and is_same

    def _greet(self, controller: Controller) -> None:
        """Say in the log what a performer can do with a device."""
        title, profile = controller.title, controller.profile
        if profile is not None:
            logger.info("%s is open: profile %s, slot %d", title, profile.name, controller.slot)
        else:
            logger.info(
                "%s is open and has no profile: learn its controls with `sfa midi learn CONTROL`",
                title,
            )

    async def _init(self, controller: Controller) -> None:
        """Send what the profile says, and every light."""
        controller.needs_init = False
        self._follow_focus(controller)
        await self._ask_identity(controller)
        for message in controller.profile.init if controller.profile else ():
            await self._link.send(controller.slot, message)
        self._link.feed(FeedKind.RESYNC, controller.slot)
        self._light(controller)
        controller.lights_due = 2

    async def _ask_identity(self, controller: Controller) -> None:
        """Send a device an identity request, if a profile of its name makes use of the reply."""
        names = controller.device.names
        asking = (each for each in self.profiles.values() if each.asks_identity)
        if any(profile.matches(name) for profile in asking for name in names):
            await self._link.send(controller.slot, IDENTITY_REQUEST)

    def _light(self, controller: Controller, path: str = "") -> None:
        """Send the lights that the stage owns, or those of one control."""
        if controller.lights and controller.is_open:
            state = int(self._link.slot(controller.slot)["state"])
            for message in due(controller.lights, state, self._core.conductor, path):
                self._link.feed(FeedKind.OUT, controller.slot, message)

    async def _set_up(self, controller: Controller) -> None:
        """Tell the host whether a device is monitored, and of its clock."""
        controller.is_monitored = self._wants_all
        await ask_host(
            self._core.runtime,
            "midi.settings",
            slot=controller.slot,
            monitored=controller.is_monitored,
            clock_in=_is_one_of(controller.title, self._config.clock_in),
            clock_out=_is_one_of(controller.title, self._config.clock_out),
            clock_offset_s=self._config.clock_offset_ms / 1000,
        )

    @property
    def _wants_all(self) -> bool:
        """Whether messages that are bound are to come here too."""
        return bool(self.watchers) or self._core.raw_bus.is_routed("midi")

    async def _close(self, slots: Iterable[int]) -> None:
        """Have the host close devices that are gone: what they hold is released."""
        gone = [self.open.pop(slot) for slot in slots if slot in self.open]
        for controller in gone:
            logger.info("%s is gone", controller.title)
            self._is_table_due = True
            if controller.is_open:
                with suppress(SfaError):  # another host has it open no more
                    await ask_host(self._core.runtime, "midi.close", slot=controller.slot)

    async def _keep(self) -> None:
        """Write down which slot each device has."""
        self._memory.devices = list(self.slots.remembered)
        path, content = self._core.data / REMEMBERED, msgspec.json.encode(self._memory)
        try:
            await trio.to_thread.run_sync(write_durably, path, content)
        except OSError as error:
            logger.warning("%s was not written: %s", path, error.strerror)

    # ------------------------------------------------------------------ profiles

    async def _read_profiles(self) -> None:
        """Read the profiles; later, those of the user that were edited since.

        Ours take 0.6 s of a core, which is spent once, in a thread.
        """
        if not self._built_in:
            self._built_in = await trio.to_thread.run_sync(load_profiles, None)
            self._is_profile_due = True
        files = _files(self.folder)
        if not self._is_profile_due and files.keys() == self._user.keys():
            return
        for file in files.keys() - self._user.keys():
            try:
                self._user[file] = await trio.to_thread.run_sync(read_profile, files[file])
            except Refused as error:
                logger.warning("a profile is left out: %s", error)
                # The last one that was valid stays in force.
                before = (p for (name, *_), p in self._user.items() if name == file[0])
                self._user[file] = next(before, None)
        self._user = {file: self._user[file] for file in sorted(files)}
        self._is_profile_due = False
        self.assign_all()

    def assign_all(self) -> None:
        """Give every device the profile that it should have now."""
        own = {each.name: each for each in self._user.values() if each is not None}
        self.profiles = self._built_in | own | self._unsaved
        for controller in self.open.values():
            profile, before = self._profile_for(controller), controller.profile
            controller.profile = profile
            # One that was learned comes back from its file: it is in force already.
            is_same = profile is before or (profile and before and profile.text == before.text)
            if not is_same:
                controller.needs_init = self._is_table_due = True

    def _profile_for(self, controller: Controller) -> Profile | None:
        """Return the profile of a device: chosen, told by its identity, or by its name."""
        device = controller.device
        chosen = self._memory.profiles.get(device.name) or next(
            (
                name
                for pattern, name in self._config.devices.items()
                if _is_one_of(controller.title, [pattern])
            ),
            None,
        )
        if chosen is not None:
            if chosen not in {*self.profiles, NO_PROFILE}:
                controller.error = f'no profile "{chosen}"'
            return self.profiles.get(chosen)
        found = [best_match(self.profiles, name) for name in device.names]
        found += [p for p in self.profiles.values() if p.is_identity(controller.identity)]
        fits = [p for p in found if p is not None and (not p.fallback or self._config.generic)]
        identified = [p for p in fits if p.is_identity(controller.identity)]
        return next(iter(identified or fits), None)

    async def choose(self, device: str, profile: str) -> list[str]:
        """Choose the profile of a device, for good; return the titles of those that have it."""
        if profile not in {*self.profiles, NO_PROFILE, ""}:
            hint = did_you_mean(profile, self.profiles) or "see `sfa midi map` for all"
            raise Refused(f'no profile "{profile:.60}"', hint)
        found = self.find(device)
        for name in {each.device.name for each in found}:
            self._memory.profiles.pop(name, None)
            if profile:
                self._memory.profiles[name] = profile
        self.assign_all()
        await self.look()
        await self._keep()
        return [each.title for each in found]

    def use(self, controller: Controller, profile: Profile) -> None:
        """Put a profile in force that is not saved yet, at the next look; see `look`."""
        self._unsaved[profile.name] = profile
        if self._memory.profiles.get(controller.device.name) == NO_PROFILE:
            del self._memory.profiles[controller.device.name]
        self.assign_all()

    def forget_unsaved(self, name: str) -> None:
        """Take a profile from its file again, which it was saved to."""
        self._unsaved.pop(name, None)
        # The file may have been read already, between its saving and this.
        self._is_profile_due = True
        self._look_now.set()

    def text_of(self, profile: Profile) -> str:
        """Return the text of a profile as its file has it now: it may be edited, and invalid."""
        file = Path(profile.origin)
        is_saved = profile.name not in self._unsaved and file.is_absolute()
        return read_text(file) if is_saved else profile.text

    def look_soon(self) -> None:
        """Look at once, rather than in half a second."""
        self._look_now.set()

    def find(self, words: str) -> list[Controller]:
        """Return the devices with a name, or with a part of it; all without words.

        Raises
        ------
        Refused
            None is plugged in, or none has it.
        """
        every = [self.open[slot] for slot in sorted(self.open)]
        if not every:
            raise Refused("no MIDI controller is plugged in", "plug one in; see `sfa midi ports`")
        exact = [each for each in every if words in {each.title, each.device.name}]
        part = [each for each in every if words.casefold() in each.title.casefold()]
        if not (exact or part):
            titles = [each.title for each in every]
            hint = did_you_mean(words, titles) or f"there are {', '.join(titles)}"
            raise Refused(f'no MIDI controller is called "{words:.60}"', hint)
        return exact or part

    async def put_in_force(self) -> None:
        """Look, and wait until the resolver works with what is bound now."""
        await self.look()
        with trio.move_on_after(IN_FORCE_TIMEOUT_S):
            while self._is_table_due:  # the last table was not taken in time, by a busy machine
                await self.look()
            while not self._link.tables.is_free:  # noqa: ASYNC110 - another process takes it
                await trio.sleep(TABLE_RETRY_S)

    async def _publish(self) -> None:
        """Write the table of all devices, as soon as the resolver has taken the last one."""
        self._is_table_due = True
        for controller in list(self.open.values()):
            wanted, made = controller.wanted_for, controller.next_table
            is_made = wanted == controller.compiled_for or (made and wanted == made.made_for)
            if controller.profile is not None and not is_made:
                controller.next_table = await self._compiled(controller, controller.profile)
        with trio.move_on_after(TABLE_TIMEOUT_S):
            while not self._link.tables.is_free:  # noqa: ASYNC110 - another process takes it
                await trio.sleep(TABLE_RETRY_S)
            for controller in self.open.values():
                _put_next(controller)
            self._write_table()
            # A profile may have been edited while another one was compiled.
            self._is_table_due |= any(
                each.wanted_for != each.compiled_for for each in self.open.values()
            )

    async def _compiled(self, controller: Controller, profile: Profile) -> _Table:
        """Return a profile, compiled for a device's slot and model."""
        model = profile.model_of(controller.identity)
        made_for = controller.wanted_for
        try:
            compiled = await trio.to_thread.run_sync(
                compile_profile, profile, controller.slot, model, self._hues()
            )
        except Refused as error:
            controller.error = str(error)
            logger.warning("%s: %s", controller.title, error)
            return _Table(made_for, None, ())
        return _Table(made_for, compiled, stage_lights(profile, model))

    def _hues(self) -> dict[str, str]:
        """Return the colours of the hot cues that have one, by their sections."""
        get = self._core.conductor.get
        return {section: hue for section in _COLOURED if (hue := get(f"{section}.color"))}

    def _write_table(self) -> None:
        compiled = [each.compiled for each in self.open.values() if each.compiled is not None]
        while True:
            bindings = [each.bindings for each in compiled] or [np.zeros(0, BINDING)]
            lights = [each.lights for each in compiled] or [np.zeros(0, LIGHT)]
            try:
                self._link.tables.write(np.concatenate(bindings), np.concatenate(lights))
            except Refused as error:  # the one that came last has to do without
                logger.warning("%s", error)
                compiled.pop()
            else:
                self._is_table_due = False
                return

    # ------------------------------------------------------------------ what comes

    def _on_event(self, event: Event) -> None:
        controller = self.open.get(event.slot)
        if controller is None:
            return
        if event.kind is EventKind.OUT:
            if controller.port is not None:
                controller.port.send(event.data)
        elif event.kind is EventKind.STATE:
            self._take_focus(controller, event.state)
            self._light(controller)
            controller.lights_due = 1
        elif event.kind is EventKind.STAGE:
            for act in self.on_stage_event:
                act(controller, event)
        else:
            self._hear(controller, event.data, event.frame)

    def _hear(self, controller: Controller, data: bytes, frame: int) -> None:
        """Take a message as it came; what is longer comes in parts."""
        whole = controller.sysex.take(data)
        if whole is None:
            return
        if is_identity_reply(whole):
            self._identify(controller, whole)
        self._core.raw_bus.publish("midi", controller.title, whole)
        for hear in self.on_message:
            hear(controller, whole, frame)

    def _identify(self, controller: Controller, reply: bytes) -> None:
        """Give a device the profile of its identity, if it has another one."""
        if controller.identity == reply:
            return
        controller.identity = reply
        if self._profile_for(controller) is not controller.profile:
            self._is_profile_due = True  # assigned at the next look, which is now
            self._look_now.set()
        elif controller.profile is not None and controller.wanted_for != controller.compiled_for:
            self._is_table_due = True  # its lamps have another number
            controller.lights_due = 2
            self._look_now.set()

    # ------------------------------------------------------------------ deck focus

    def _on_change(self, path: str, _value: Value, source: int) -> None:
        for controller in self.open.values():
            if any(light.path == path for light in controller.lights):
                self._light(controller, path)
        section, _, name = path.rpartition(".")
        if name == "color" and section in _COLOURED:
            self._recolor(section)
        if path == DESK.session.focus.path:
            for controller in self.open.values():
                if controller.source != source:
                    self._follow_focus(controller)

    def _recolor(self, section: str) -> None:
        """Have the lamps of a hot cue show its colour."""
        for controller in self.open.values():
            lamps = controller.profile.assignments if controller.profile is not None else ()
            if any(each.light and each.path.startswith(f"{section}.") for each in lamps):
                controller.recolored += 1
                self._is_table_due = True
                self._look_now.set()

    def _follow_focus(self, controller: Controller) -> None:
        """Have a device's layer `focus` show the deck of ``session.focus``."""
        if layer := _focus_of(controller):
            index = int(self._core.conductor.get(DESK.session.focus.path))
            self._link.set_state(controller.slot, layer.mask, index << layer.shift)

    def _take_focus(self, controller: Controller, state: int) -> None:
        """Have ``session.focus`` follow a device whose layer `focus` was changed."""
        if layer := _focus_of(controller):
            path = DESK.session.focus.path
            index = (state & layer.mask) >> layer.shift
            if index < len(DECK_NAMES) and index != self._core.conductor.get(path):
                self._core.conductor.set_nowait(path, float(index), controller.source)

    def _send_raw(self, target: str, message: Message) -> None:
        """Send what a route made; what finds no room is lost, as on a cable that is full."""
        assert isinstance(message, bytes)
        for controller in self.open.values():
            is_meant = controller.is_open and fits(controller.title, target)
            if is_meant and not self._link.feed(FeedKind.OUT, controller.slot, message):
                controller.unsent += 1
                if controller.unsent == 1:
                    logger.warning("%s takes no more from routes; counted", controller.title)

    # ------------------------------------------------------------------ ports of other surfaces

    def port_added(self, port: ExternalPort) -> None:
        """List a port that the stage reaches itself."""
        self._external[port.id] = port
        self._look_now.set()

    def port_removed(self, port: ExternalPort) -> None:
        """Forget a port."""
        if self._external.get(port.id) is port:
            del self._external[port.id]
            self._look_now.set()

    def port_received(self, port: ExternalPort, data: bytes, frame: int) -> None:
        """Hand a message on to the resolver; sysex, which it has no use for, stays here."""
        for controller in self.open.values():
            if controller.port is port and controller.is_open:
                if data[:1] == bytes([SYSEX]):
                    self._hear(controller, data, frame)
                else:
                    self._link.feed(FeedKind.IN, controller.slot, data, frame)


def _put_next(controller: Controller) -> None:
    """Go on with what is compiled from a device's profile; with nothing if it has none.

    What could not be compiled leaves in force what was before.
    """
    made, wanted = controller.next_table, controller.wanted_for
    if wanted is None:
        controller.compiled, controller.compiled_for, controller.lights = None, None, ()
    elif made is not None and made.made_for == wanted:
        if made.compiled is not None:
            controller.compiled, controller.lights = made.compiled, made.lights
        controller.compiled_for = wanted
    controller.next_table = None


def _focus_of(controller: Controller) -> Layer | None:
    """Return the layer of the deck in focus."""
    layers = controller.compiled.layers if controller.compiled is not None else ()
    return next((layer for layer in layers if layer.name == FOCUS), None)


def _is_one_of(title: str, patterns: Iterable[str]) -> bool:
    return any(re.search(each, title, re.IGNORECASE) for each in patterns)


def _files(folder: Path) -> dict[File, Path]:
    """Return the profiles in a folder, each by what is another thing once it was edited."""
    found: dict[File, Path] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".toml") and len(found) < MAX_FILES:
                    status = entry.stat()
                    file = (entry.name, status.st_mtime_ns, status.st_size)
                    found[file] = Path(entry.path)
    except OSError:
        return {}
    return found


Content = TypeVar("Content", bound=msgspec.Struct)


def _read(path: Path, kind: type[Content]) -> Content:
    """Return the content of a file; an empty one of a file that is not there, or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except (OSError, msgspec.MsgspecError) as error:
        logger.warning("%s was not read: %s", path, error)
        return kind()
