"""The MIDI surface: controllers, and the verbs ``midi.*`` of the control socket."""

from __future__ import annotations

from typing import Annotated, Any

import trio
from msgspec import Meta

from sfa_engine.engine.midi import Kind
from sfa_engine.engine.midi_rings import Event
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.midi.controllers import Controller, Controllers
from sfa_engine.surfaces.midi.learn import Teacher
from sfa_engine.surfaces.midi.message import parse
from sfa_engine.surfaces.midi.monitor import Monitor
from sfa_engine.surfaces.midi.perform import Performer
from sfa_engine.surfaces.midi.settings import MidiConfig
from sfa_engine.wire.push import Push
from sfa_engine.wire.verbs import GIVEN, Text, verb

LEARN_TIMEOUT_S = 30.0

ToClient = Annotated[Push, GIVEN]
Timeout = Annotated[float, Meta(ge=1, le=600)]


class MidiSurface:
    """MIDI controllers.

    Parameters
    ----------
    core : Core
    config : MidiConfig
    """

    def __init__(self, core: Core, config: MidiConfig) -> None:
        self._core = core
        self._config = config
        self._controllers = Controllers(core, config)
        self._monitor = Monitor()
        self._teacher = Teacher(core, self._controllers)
        self._performer = Performer(core.conductor)
        self._controllers.on_message.append(self._hear)
        self._controllers.on_stage_event.append(self._act)
        core.add_verbs(self)

    async def run(self) -> None:
        """Follow what is plugged in, for as long as the stage lives."""
        if self._config.enabled:
            await self._controllers.run()
        self._controllers.error = "it is switched off: `enabled` in [midi] of the configuration"

    def _act(self, controller: Controller, event: Event) -> None:
        self._performer.take(controller, event)

    def _hear(self, controller: Controller, data: bytes, frame: int) -> None:
        state = int(self._core.midi.slot(controller.slot)["state"])
        self._monitor.take(controller, data, frame, state)
        self._recall(controller, data, state)

    def _recall(self, controller: Controller, data: bytes, state: int) -> None:
        """Recall a preset by a program change that the profile does not bind."""
        message = parse(data)
        if message is None or message.kind is not Kind.PROGRAM or self._teacher.is_learning:
            return
        if not self._monitor.effect(controller, data, state):
            self._performer.recall(controller, message.number)

    # ------------------------------------------------------------------ verbs

    @verb(scope="read")
    def midi_ports(self) -> dict[str, Any]:
        """Return the controllers that are plugged in, and what became of each."""
        controllers = self._controllers
        return {
            "driver": controllers.driver,
            "error": controllers.error,
            "ports": [self._described(controllers.open[slot]) for slot in sorted(controllers.open)],
        }

    def _described(self, controller: Controller) -> dict[str, Any]:
        there = self._core.midi.slot(controller.slot)
        compiled, profile = controller.compiled, controller.profile
        device = controller.device
        get = self._core.conductor.get
        return {
            "slot": controller.slot,
            "name": controller.title,
            "client": device.client,
            "input": device.source,
            "output": device.sink,
            "open": controller.is_open,
            "error": controller.error,
            "profile": profile.name if profile is not None else None,
            "title": profile.title if profile is not None else "",
            "bindings": len(compiled.bindings) if compiled is not None else 0,
            "lights": len(compiled.lights) if compiled is not None else 0,
            "clock_in": bool(there["clock_in"] and get("clock.midi_in")),
            "clock_out": bool(there["clock_out"] and get("clock.midi_out")),
            "monitored": bool(there["monitored"]),
            "received": int(there["received"]),
            "sent": int(there["sent"]),
            "dropped": int(there["dropped"]) + controller.sysex.dropped + controller.unsent,
        }

    @verb(scope="read", slow=True)
    async def midi_monitor(
        self, push: ToClient, device: Text = "", on: bool = True
    ) -> dict[str, Any]:
        """Push what controllers send and what it does, as ``midi.message``; end it with `on`."""
        if not on:
            self._end_monitor(push)
            return {"devices": []}
        # Without a name of those that are plugged in later, too.
        found = self._controllers.find(device) if device else []
        slots = frozenset(each.slot for each in found) if device else None
        if push not in self._monitor.listeners:
            push.on_close(lambda: self._end_monitor(push))
        self._monitor.listeners[push] = slots
        self._controllers.watchers.add(self._monitor)
        await self._controllers.look()
        everything = [self._controllers.open[slot] for slot in sorted(self._controllers.open)]
        return {"devices": [each.title for each in found or everything]}

    def _end_monitor(self, push: Push) -> None:
        self._monitor.listeners.pop(push, None)
        if not self._monitor.listeners:
            self._controllers.watchers.discard(self._monitor)
            self._controllers.look_soon()

    @verb(scope="perform", slow=True)
    async def midi_learn(
        self,
        path: Text,
        push: ToClient,
        device: Text = "",
        timeout_s: Timeout = LEARN_TIMEOUT_S,
        light: bool = True,
        replace: bool = True,
    ) -> dict[str, Any]:
        """Wait until a control of a controller is moved, and bind it to a control of the desk.

        What comes meanwhile is pushed as ``midi.learning``. A client that leaves ends it, and
        nothing is bound. A button gets a lamp unless `light` is false. Without `replace`, what is
        bound already is not bound: `replaces` says to what, and ``midi.bind`` binds it.
        """
        return await self._teacher.learn(
            path, device, timeout_s, push, light=light, replace=replace
        )

    @verb(scope="perform", slow=True)
    async def midi_bind(self) -> dict[str, Any]:
        """Bind what was learned last and was bound already, in place of that."""
        return await self._teacher.bind()

    @verb(scope="perform", slow=True)
    async def midi_profile(self, device: Text, profile: Text = "") -> dict[str, Any]:
        """Choose the profile of a device, or ``none``; without one, by its name again."""
        titles = await self._controllers.choose(device, profile)
        return {"devices": titles, "profile": profile}

    @verb(scope="read")
    def midi_profiles(self) -> list[dict[str, Any]]:
        """Return the profiles that there are."""
        found = self._controllers.profiles
        return [
            {"name": name, "title": found[name].title, "origin": found[name].origin}
            for name in sorted(found)
        ]


def start(core: Core, nursery: trio.Nursery, config: MidiConfig) -> None:
    """Start the surface; one that is switched off says so to who asks."""
    nursery.start_soon(MidiSurface(core, config).run)
