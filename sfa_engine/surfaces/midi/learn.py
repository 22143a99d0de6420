"""Learn: waits until a control of a controller is moved, and binds it to a control of the desk."""

from __future__ import annotations

import logging
from typing import Any

import trio
import trio.lowlevel

from sfa_engine.desk import Button, Control, Switch, Text, find
from sfa_engine.errors import Refused, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.midi.controllers import Controller, Controllers
from sfa_engine.surfaces.midi.message import hex_text, parse, words
from sfa_engine.surfaces.midi.profile import parse_profile
from sfa_engine.surfaces.midi.recognise import Learned, Recogniser
from sfa_engine.wire.push import Push

logger = logging.getLogger(__name__)
METHOD = "midi.learning"
POLL_S = 0.05  # between two looks whether a control stands still


class Teacher:
    """Learns one control at a time.

    Parameters
    ----------
    core : Core
    controllers : Controllers
    """

    def __init__(self, core: Core, controllers: Controllers) -> None:
        self._core = core
        self._controllers = controllers
        self._is_busy = False
        self._asked: tuple[Control, Controller, Learned, bool] | None = None

    @property
    def is_learning(self) -> bool:
        """Whether what controllers send is looked at to be learned."""
        return self._is_busy

    async def learn(
        self, path: str, device: str, timeout_s: float, push: Push, *, light: bool, replace: bool
    ) -> dict[str, Any]:
        """Wait for the move, bind it, and save it in the user's profile of that device.

        Without `replace`, what is bound already is not: `replaces` then says to what, and
        `bind` binds it.

        Raises
        ------
        Refused
            The control cannot be set, nothing is plugged in, or nothing was moved in time.
        """
        control = find(path)
        if isinstance(control, Text) or not (control.settable or isinstance(control, Button)):
            raise Refused(f"{path} can only be read", "learn a control that is set or pressed")
        if self._is_busy:
            raise Refused("another control is being learned", "wait until that is done")
        among = self._controllers.find(device)
        self._is_busy = True
        try:
            self._asked = None
            controller, learned = await self._wait(control, among, timeout_s, push)
            replaces = self._replaced(control, controller, learned)
            if replaces and not replace:
                self._asked = control, controller, learned, light
                return {
                    "path": path,
                    "device": controller.title,
                    "input": learned.words(),
                    "do": "",
                    "profile": "",
                    "saved": "",
                    "why": "",
                    "replaces": replaces,
                }
            return await self._bind(control, controller, learned, light=light)
        finally:
            self._is_busy = False

    async def bind(self) -> dict[str, Any]:
        """Bind what was learned last, in place of what it was bound to.

        Raises
        ------
        Refused
            Nothing waits for that, or it was unplugged meanwhile.
        """
        asked, self._asked = self._asked, None
        if asked is None or asked[1] not in self._controllers.open.values():
            raise Refused("nothing was learned that waits to be bound", "learn it again")
        control, controller, learned, light = asked
        return await self._bind(control, controller, learned, light=light)

    def _replaced(self, control: Control, controller: Controller, learned: Learned) -> list[str]:
        """Return what else a physical control is bound to."""
        if controller.profile is None:
            return []
        from sfa_engine.surfaces.midi.learned import bound_to

        profile = parse_profile(self._controllers.text_of(controller.profile), "the profile")
        return [path for path in bound_to(profile, learned) if path != control.path]

    async def _wait(
        self, control: Control, among: list[Controller], timeout_s: float, push: Push
    ) -> tuple[Controller, Learned]:
        """Return which device's control was moved, and what it sends."""
        wants_button = isinstance(control, Button | Switch)
        slots = {controller.slot for controller in among}
        recognisers: dict[int, Recogniser] = {}
        moved = trio.Event()

        def hear(controller: Controller, data: bytes, _frame: int) -> None:
            message = parse(data)
            if controller.slot not in slots or message is None:
                return
            recogniser = recognisers.setdefault(
                controller.slot, Recogniser(wants_button=wants_button)
            )
            recogniser.take(message, trio.current_time())
            item = {
                "device": controller.title,
                "hex": hex_text(data),
                "words": words(data),
                "hint": recogniser.hint,
            }
            push.put(METHOD, item)
            moved.set()

        token = object()
        self._controllers.watchers.add(token)
        self._controllers.on_message.append(hear)
        try:
            await self._controllers.look()  # so that the host tells of all messages
            with trio.move_on_after(timeout_s):
                while True:
                    for slot, recogniser in recognisers.items():
                        learned = recogniser.result(trio.current_time())
                        if learned is not None and slot in self._controllers.open:
                            return self._controllers.open[slot], learned
                    with trio.move_on_after(POLL_S):
                        await moved.wait()
                        moved = trio.Event()
                        await trio.lowlevel.checkpoint()
        finally:
            self._controllers.on_message.remove(hear)
            self._controllers.watchers.discard(token)
            self._controllers.look_soon()
        hint = next((r.hint for r in recognisers.values() if r.hint), "")
        titles = ", ".join(controller.title for controller in among)
        raise Refused(
            f"nothing was recognised on {titles} within {timeout_s:g} s",
            hint or "move or press one control, and nothing else",
        )

    async def _bind(
        self, control: Control, controller: Controller, learned: Learned, *, light: bool
    ) -> dict[str, Any]:
        """Put a binding in force, and save it."""
        # With tomlkit, 60 ms that no start of the stage has to wait for.
        from sfa_engine.surfaces.midi.learned import entry_for, with_entry

        now = self._core.conductor.get(control.path) if control.settable else 0.0
        entry = entry_for(control, learned, control.text(now), light=light)
        text = with_entry(self._text_of(controller), entry, learned)
        profile = parse_profile(text, "the profile with what was learned")
        self._controllers.use(controller, profile)
        await self._controllers.put_in_force()
        saved, why = "", ""
        try:
            said = await ask_backstage(
                self._core.runtime, "profiles.save", name=profile.name, text=text
            )
            saved = str(said["path"])
            self._controllers.forget_unsaved(profile.name)
        except SfaError as error:
            why = f"bound until the engine stops, and not saved: {error}"
            logger.warning("%s on %s is %s", control.path, controller.title, why)
        return {
            "path": control.path,
            "device": controller.title,
            "input": learned.words(),
            "do": entry["do"],
            "profile": profile.name,
            "saved": saved,
            "why": why,
            "replaces": [],
        }

    def _text_of(self, controller: Controller) -> str:
        """Return the text of a device's profile, or of a new one."""
        from sfa_engine.surfaces.midi.learned import for_device, new_profile

        profile, device = controller.profile, controller.device.name
        taken = set(self._controllers.profiles)
        if profile is None:
            return new_profile(device, taken)
        text = self._controllers.text_of(profile)
        return for_device(text, device, taken) if profile.fallback else text
