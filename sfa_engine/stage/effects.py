"""Effects on the stage: what the knobs of each slot are, chains, and the patches of user effects.

The kernel has the sound, the host the processes of user effects; backstage keeps the chains.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Annotated, Any

import trio
from msgspec import Meta

from sfa_engine.desk import DESK, Value
from sfa_engine.desk.chains import BUILT_IN, MAX_PATCH, MODES, Chain, check_chain
from sfa_engine.desk.effects import KIND_NAMES, LETTERS, SLOTS, UNITS, parameter_of
from sfa_engine.engine.command import Source
from sfa_engine.errors import EngineError, Refused, SfaError, did_you_mean
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.host_link import ask_host
from sfa_engine.system.named_files import NAME_PATTERN, FileName
from sfa_engine.wire.verbs import verb

logger = logging.getLogger(__name__)
PATCHES = "patches"  # in the data folder
RETRY_S = 1.0  # while no host runs
_NAME = re.compile(NAME_PATTERN)

Unit = Annotated[int, Meta(ge=1, le=len(UNITS))]


def check_patch(name: Any) -> None:
    """Refuse what cannot be a patch's name; empty is none."""
    if name and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        raise Refused(
            f'"{name!s:.60}" is not the name of a patch',
            f"small letters, digits and -, up to {MAX_PATCH}; see `sfa fx patches`",
        )


class Effects:
    """Keeps the texts of the effects up to date, and loads and saves chains.

    Parameters
    ----------
    runtime, data : pathlib.Path
    conductor : Conductor
    """

    def __init__(self, runtime: Path, data: Path, conductor: Conductor) -> None:
        self._runtime = runtime
        self._patches = data / PATCHES
        self._conductor = conductor
        self._changed = trio.Event()
        self._wanted: dict[tuple[int, int], str] = {}  # patches to be sent to the host
        self._slot_of: dict[str, tuple[int, int]] = {}
        self._patch_of: dict[str, tuple[int, int]] = {}
        self.problems: list[str] = []  # of user effects, for the health
        for unit in UNITS:
            for number in SLOTS:
                slot = DESK.fx[unit].slot[number]
                for control in (slot.kind, slot.param_a, slot.param_b, slot.param_c):
                    self._slot_of[control.path] = (unit, number)
                self._patch_of[slot.patch.path] = (unit, number)
                conductor.stage.checks[slot.patch.path] = self._check_patch
                self._show(unit, number)
        conductor.listen(self._on_change)

    def _on_change(self, path: str, value: Value, source: int) -> None:
        found = self._slot_of.get(path)
        if found is not None:
            self._show(*found)
        patch = self._patch_of.get(path)
        if patch is not None and source != Source.HOST:
            self._wanted[patch] = str(value)
            self._changed.set()

    def _check_patch(self, name: Any) -> None:
        """Refuse a patch that cannot be one, or that has no file."""
        check_patch(name)
        if name and not (self._patches / f"{name}.py").is_file():
            known = [each.stem for each in self._patches.glob("*.py")]
            raise Refused(
                f'no patch "{name}" in {self._patches}',
                did_you_mean(name, known) or f"`sfa fx new {name}` makes one",
            )

    def _show(self, unit: int, number: int) -> None:
        """Show what the knobs of a slot are, and where they stand."""
        slot = f"fx{unit}.slot{number}"
        kind = self._conductor.get(f"{slot}.kind")
        for letter in LETTERS:
            parameter = parameter_of(kind, letter)
            is_empty = KIND_NAMES[int(kind)] == "none"
            travel = self._conductor.get(f"{slot}.param_{letter}")
            put = self._conductor.stage.put
            put(f"{slot}.label_{letter}", "" if is_empty else parameter.label)
            put(f"{slot}.value_{letter}", "" if is_empty else parameter.text(travel))

    def show_host(self, info: dict[str, Any]) -> None:
        """Show the patches that the host runs, and their errors, for a new stage too."""
        problems = []
        for each in info.get("effects") or []:
            unit, number = each["unit"], each["slot"]
            if (unit, number) not in self._wanted:
                path = DESK.fx[unit].slot[number].patch.path
                self._conductor.stage.put(path, each["patch"], Source.HOST)
            if each["error"]:
                problems.append(f"effect {each['patch']}: {each['error']}")
        self.problems = problems

    async def run(self) -> None:
        """Send patches to the host, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            for slot, name in list(self._wanted.items()):
                unit, number = slot
                path = str(self._patches / f"{name}.py") if name else ""
                try:
                    await ask_host(
                        self._runtime, "fx.patch", unit=unit, slot=number, name=name, path=path
                    )
                except SfaError as error:
                    logger.warning("the patch %s was not started: %s", name, error)
                    if isinstance(error, EngineError):
                        await trio.sleep(RETRY_S)
                        self._changed.set()
                        continue
                if self._wanted.get(slot) == name:
                    del self._wanted[slot]

    # ------------------------------------------------------------------ verbs

    @verb(scope="perform", slow=True)
    async def fx_load(self, unit: Unit, name: FileName) -> dict[str, Any]:
        """Load a chain of effects into a unit, built in or saved."""
        found = BUILT_IN.get(name)
        if found is None:
            found = await ask_backstage(self._runtime, "chains.get", name=name)
        made = check_chain(found)
        self.apply(unit, made)
        self._conductor.stage.put(DESK.fx[unit].chain.path, name)
        return {"unit": unit, "name": name, "chain": made}

    @verb(scope="perform", slow=True)
    async def fx_save(self, unit: Unit, name: FileName) -> dict[str, Any]:
        """Save the chain of a unit under a name."""
        made = self.chain_of(unit)
        saved: dict[str, Any] = await ask_backstage(
            self._runtime, "chains.save", name=name, chain=made
        )
        self._conductor.stage.put(DESK.fx[unit].chain.path, name)
        return {"unit": unit, "name": name, "chain": made, **saved}

    @verb(scope="perform", slow=True)
    async def fx_reload(self) -> dict[str, Any]:
        """Start the processes of all user effects again."""
        return await ask_host(self._runtime, "fx.reload")

    def apply(self, unit: int, chain: Chain) -> None:
        """Set a unit to a chain; all at once, for the commands lie on the ring together.

        Raises
        ------
        Refused
            A patch does not exist; the unit is as it was.
        """
        for each in chain["slots"]:
            self._check_patch(each["patch"])
        name = DESK.fx[unit].path
        put = self._conductor.set_nowait
        put(f"{name}.mode", float(MODES.index(chain["mode"])))
        put(f"{name}.mix", chain["mix"])
        put(f"{name}.macro", 0.0)
        for number, each in zip(SLOTS, chain["slots"], strict=True):
            slot = f"{name}.slot{number}"
            put(f"{slot}.kind", float(KIND_NAMES.index(each["kind"])))
            put(f"{slot}.on", float(each["on"]))
            put(f"{slot}.mix", each["mix"])
            for letter, knob in zip(LETTERS, each["knobs"], strict=True):
                put(f"{slot}.param_{letter}", knob)
            put(f"{slot}.patch", each["patch"])

    def chain_of(self, unit: int) -> Chain:
        """Return the chain that a unit is set to."""
        get, name = self._conductor.get, DESK.fx[unit].path
        slots = [
            {
                "kind": KIND_NAMES[int(get(f"{name}.slot{number}.kind"))],
                "on": bool(get(f"{name}.slot{number}.on")),
                "mix": get(f"{name}.slot{number}.mix"),
                "knobs": [get(f"{name}.slot{number}.param_{letter}") for letter in LETTERS],
                "patch": get(f"{name}.slot{number}.patch"),
            }
            for number in SLOTS
        ]
        return {
            "mode": MODES[int(get(f"{name}.mode"))],
            "mix": get(f"{name}.mix"),
            "slots": slots,
        }
