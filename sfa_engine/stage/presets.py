"""``preset.*``: parts of the desk, saved and recalled.

::

    save ──► what the controls are set to ──► backstage (presets.save) ──► <data>/presets/NAME.json
    recall ◄── backstage (presets.get) ◄── a name, or the number of a program change
       └──► commands, which the kernel does in one tick: now, or on the next beat, bar or phrase

A value that cannot be recalled is left out, and named in the answer and in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import trio
from msgspec import Meta

from sfa_engine.desk import CONTROLS, DESK, Value
from sfa_engine.desk.presets import (
    DESK_GROUPS,
    MAX_PROGRAM,
    VERSION,
    LeftOut,
    check_preset,
    known,
    select,
    to_file,
)
from sfa_engine.engine.intents import NOW, Moment
from sfa_engine.engine.layout import MAX_TIMED, VALUE_INDEX
from sfa_engine.errors import EngineError, Refused
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor
from sfa_engine.system.named_files import FileName
from sfa_engine.wire.verbs import Texts, verb

logger = logging.getLogger(__name__)
PRESET = DESK.preset
RING_RETRY_S = 0.003  # a block of 128 frames, after which the kernel has emptied the ring
RING_RETRIES = 100
MAX_NAMED = 10  # controls that were left out, in a warning

Program = Annotated[int, Meta(ge=0, le=MAX_PROGRAM)]
When = Annotated[
    str | int | None,
    Meta(description="a moment: now, an engine frame, or beat, bar or phrase and perhaps a deck"),
]


class Presets:
    """Saves and recalls presets.

    Parameters
    ----------
    runtime : pathlib.Path
        Where backstage's socket is.
    conductor : Conductor
    """

    def __init__(self, runtime: Path, conductor: Conductor) -> None:
        self._runtime = runtime
        self._conductor = conductor

    @verb(scope="perform", slow=True)
    async def preset_save(
        self, name: FileName, patterns: Texts | None = None, program: Program | None = None
    ) -> dict[str, Any]:
        """Save what controls are set to as a preset, in place of an earlier one of its name.

        `patterns` name controls, sections or pages of the desk, with ``*`` and ``?``; none: mixer,
        EQ, stems and effects. Without `program` the preset keeps the number that it had.
        """
        get = self._conductor.get
        values = {path: to_file(CONTROLS[path], get(path)) for path in select(patterns or ())}
        made = {"version": VERSION, "program": program, "values": values}
        saved: dict[str, Any] = await ask_backstage(
            self._runtime, "presets.save", name=name, preset=made
        )
        return {**saved, "name": name, "controls": len(values)}

    @verb(scope="perform", slow=True)
    async def preset_recall(
        self, name: FileName | None = None, program: Program | None = None, when: When = None
    ) -> dict[str, Any]:
        """Recall a preset by its name or program number, now or at a moment.

        What cannot be recalled is left out: ``left_out`` says what, and why.
        """
        if (name is None) is (program is None):
            raise Refused("one of name and program is needed", "give the name of a preset")
        moment = Moment.parse(when)
        found = await ask_backstage(self._runtime, "presets.get", name=name, program=program)
        name = found["name"]
        values, left_out = known(check_preset(found["preset"])["values"])
        refused = await self._apply(values, moment)
        left_out += refused
        self._conductor.stage.put(PRESET.name.path, name)
        if left_out:
            paths = ", ".join(each.path for each in left_out[:MAX_NAMED])
            more = f" and {len(left_out) - MAX_NAMED} more" if len(left_out) > MAX_NAMED else ""
            logger.warning("preset %s was recalled without %s%s", name, paths, more)
        return {
            "name": name,
            "controls": len(values) - len(refused),
            "when": moment.text(),
            "left_out": [each._asdict() for each in left_out],
        }

    async def _apply(self, values: Mapping[str, Value], moment: Moment) -> list[LeftOut]:
        """Set controls; return those of the stage that cannot wait for a moment, or are refused."""
        left_out = []
        engine: dict[str, float] = {}
        for path, value in values.items():
            if path in VALUE_INDEX:
                engine[path] = float(value)
            elif moment is not NOW:
                if self._conductor.get(path) == value:
                    continue
                left_out.append(LeftOut(path, "it changes at once: recall it without a moment"))
            else:
                try:
                    self._conductor.set_nowait(path, value)
                except Refused as error:
                    left_out.append(LeftOut(path, error.message))
        # More controls than one tick takes are of pads: a block between two of them does no harm.
        parts = list(_parts(engine)) if moment is NOW else [engine]
        for part in parts:
            for retry in range(RING_RETRIES):
                try:
                    self._conductor.set_all_nowait(part, when=moment.text())
                    break
                except EngineError:
                    if retry == RING_RETRIES - 1:
                        raise
                    await trio.sleep(RING_RETRY_S)
        return left_out

    async def recall_program(self, program: int) -> None:
        """Recall the preset of a program number, when ``preset.at`` says."""
        at = PRESET.at.text(self._conductor.get(PRESET.at.path))
        await self.preset_recall(program=program, when=at)


def _parts(values: Mapping[str, float]) -> Iterator[dict[str, float]]:
    items = iter(values.items())
    while part := dict(islice(items, MAX_TIMED)):
        yield part


assert set(DESK_GROUPS) <= {control.group for control in CONTROLS.values()}
