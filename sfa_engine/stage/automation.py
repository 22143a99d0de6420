"""Automation: commands of the automatic mix, queued for frames to come, which give way to hands.

Each command says from which count of commands (``since``) on the mix has its control. The kernel
refuses it if a performer has moved the control after that, in the same block or hours before:
nothing that was queued overrules a hand. `automation.status` says what was taken over.

::

    mix ── queue ──► waiting commands (engine memory) ──► kernel ── touched since? ──► refused
    mix ◄─ status ── touched, positions, frame            performer ──► set, touched = seq
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct

from sfa_engine.desk import DECK_NAMES
from sfa_engine.engine.command import Source
from sfa_engine.engine.intents import NOW, OPERATIONS, Moment
from sfa_engine.engine.layout import MAX_TIMED, VALUE_PATHS
from sfa_engine.errors import Refused
from sfa_engine.stage.conductor import Conductor, Queued
from sfa_engine.stage.hotcues import bundle_of
from sfa_engine.wire.verbs import verb

Seq = Annotated[int, Meta(ge=0, le=1 << 39)]  # what a command can carry


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """A command of the mix.

    Parameters
    ----------
    path : str
        A control of the engine.
    value : float, bool or str
        In its unit, or as text.
    since : int
        Count of commands since which the mix has the control.
    when : int or str, optional
        An engine frame or a moment; without it, now.
    """

    path: str
    value: float | int | bool | str
    since: Seq
    when: int | str | None = None


class Automation:
    """The verbs of the automatic mix on the stage.

    Parameters
    ----------
    conductor : Conductor
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    @verb(scope="perform")
    def automation_queue(
        self, commands: Annotated[list[dict[str, Any]], Meta(max_length=MAX_TIMED)]
    ) -> dict[str, Any]:
        """Queue commands of the automatic mix: all of them, or none.

        Each is ``{path, value, since, when}``; one whose control a performer has set after `since`,
        the ``seq`` of `automation.status`, is refused when its time comes.
        """
        try:
            items = msgspec.convert(commands, list[Item])
        except msgspec.ValidationError as error:
            raise Refused(
                f"invalid commands: {error!s:.200}", "give each as {path, value, since, when}"
            ) from None
        checked = [_checked(item) for item in items]
        self._conductor.queue_nowait(checked)
        return {"queued": len(checked), "frame": self._frame}

    @verb(scope="perform", slow=True)
    async def automation_cancel(self) -> dict[str, Any]:
        """Cancel what waits of the automatic mix; commands of others stay."""
        return {"cancelled": await self._conductor.cancel(source=Source.MIX, of=Source.MIX)}

    @verb(scope="read")
    def automation_status(self, since: Seq = 0) -> dict[str, Any]:
        """Return what the automatic mix goes by.

        ``taken`` has the controls that performers have set after command `since`, each with the
        number of that command; ``seq`` is the number of the last command. ``set`` names the
        engine's memory: numbers of another one mean nothing here.
        """
        memory = self._conductor.memory
        engine = memory.engine
        touched = np.array(engine["touched"])
        taken = {VALUE_PATHS[n]: int(touched[n]) for n in np.flatnonzero(touched > since)}
        return {
            "set": int(engine["set_id"]),
            "frame": self._frame,
            "rate": float(engine["sample_rate"]),
            "seq": int(engine["seq"]),
            "taken": taken,
            "waiting": sum(c.source == Source.MIX for _, c in self._conductor.waiting()),
            "decks": [self._deck(number) for number in range(1, len(DECK_NAMES) + 1)],
        }

    @property
    def _frame(self) -> int:
        return int(self._conductor.memory.engine["frame"])

    def _deck(self, number: int) -> dict[str, Any]:
        memory = self._conductor.memory
        transport = memory.engine["transport"][number - 1]
        value = memory.value
        return {
            "bundle": bundle_of(memory, number),
            "playing": bool(transport["playing"]),
            "position_s": value(f"deck{number}.position"),
            "rate": value(f"deck{number}.rate"),
            "fader_db": value(f"deck{number}.fader"),
        }


def _checked(item: Item) -> Queued:
    """Return a command with its operation.

    Raises
    ------
    Refused
        There is no such control of the engine, or its value or moment is invalid.
    """
    made = OPERATIONS.get(item.path)
    if made is None or made.index < 0:
        raise Refused(
            f'"{item.path:.60}" is not a control of the engine with a value', "see `sfa describe`"
        )
    moment = NOW if item.when is None else Moment.parse(item.when)
    return Queued(made, made.control.check(item.value), item.since, moment)
