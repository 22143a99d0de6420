"""Backstage as a program, whose agent does what a question says, as JSON: see `Script`.

The agent and the language model are the only parts that are not the real ones.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.agents.contract import Context, Proposal, Result, Step
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.backstage.core import Core
from sfa_engine.backstage.server import Server
from sfa_engine.errors import SfaError
from sfa_engine.run import config as configuration
from sfa_engine.run.folders import PRIVATE_UMASK
from sfa_engine.system.aio import run_until_stopped
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET

PROGRAM = Path(__file__)
CANCELLED: list[str] = []


class Script(msgspec.Struct, forbid_unknown_fields=True):
    """What the agent does.

    Attributes
    ----------
    calls : list
        Verbs with their parameters; what they return, or their errors, is in the answer's data.
    proposals : list of Proposal
    cues : dict, optional
        ``{"track": 1, "steps": 60, "proposals": 1}``: proposals of so many cues each.
    sleep_s : float
        Before it answers.
    pieces : list of str
        What the model says.
    model_fails : str
        Why it does not.
    """

    calls: list[tuple[str, dict[str, Any]]] = []
    proposals: list[Proposal] = []
    cues: dict[str, int] | None = None
    sleep_s: float = 0.0
    pieces: list[str] = []
    model_fails: str = ""
    output: str = "done"


async def ask(context: Context, bench: Workbench, task: str) -> Result:
    """Do what the question says."""
    script = msgspec.json.decode(context.instruction, type=Script)
    said: list[Any] = []
    try:
        for verb, params in script.calls:
            try:
                said.append(await bench.call(verb, **params))
            except SfaError as error:
                said.append(error.to_wire())
        await asyncio.sleep(script.sleep_s)
    except asyncio.CancelledError:
        CANCELLED.append(script.output)
        raise
    bench.proposals += [*script.proposals, *many(**(script.cues or {}))]
    return Result(
        script.output,
        {
            "said": said,
            "tracks": sorted(bench.tracks),
            "scopes": sorted(bench.scopes),
            "history": len(context.history),
            "cancelled": CANCELLED,
        },
        task or "library",
        proposals=tuple(bench.proposals),
        questions=("and then?",),
    )


async def word(
    result: Result,
    context: Context,
    _bench: Workbench,
    _router: Any,
    _question: Any,
    *,
    on_piece: Any = None,
    provider: str = "",
) -> Result:
    """Say what the question says."""
    script = msgspec.json.decode(context.instruction, type=Script)
    for piece in script.pieces:
        on_piece(piece)
        await asyncio.sleep(0.01)
    if script.model_fails:
        raise LlmError(script.model_fails, "busy")
    return msgspec.structs.replace(
        result, output="".join(script.pieces), by="model", model="m", provider=provider, tokens=12
    )


def many(track: int = 0, steps: int = 0, proposals: int = 1) -> list[Proposal]:
    """Return proposals of so many cues each, all in other places."""
    return [
        Proposal(
            "cues",
            f"{steps} cues",
            "because",
            tuple(
                Step("library.cue", {"track": track, "position_s": 1.0 + number / 8 + place / 800})
                for number in range(steps)
            ),
            {},
            (track,),
        )
        for place in range(proposals if steps else 0)
    ]


async def _serve(runtime: Path) -> None:
    settings = configuration.backstage_settings(configuration.load_config())
    async with Core.open(settings, runtime, ask, word) as core:
        server = Server(core, runtime / BACKSTAGE_SOCKET)
        await run_until_stopped(core.run(), server.run())


def main() -> int:
    """Run it as `sfa_engine.run.backstage_process` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", type=Path, required=True)
    given = parser.parse_args()
    os.umask(PRIVATE_UMASK)
    configuration.private_data_path()
    asyncio.run(_serve(given.runtime))
    return 0


if __name__ == "__main__":
    sys.exit(main())
