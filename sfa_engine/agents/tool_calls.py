"""Calls of tools by models and MCP clients: what is offered, and what becomes of a call.

Whatever is wrong with a call is an answer to its sender, in one sentence: an unknown tool, a wrong
type, a scope that was not given, a fault of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sfa_engine.agents.plain_text import harmless
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import MOST_SCOPES, AgentTool, Workbench
from sfa_engine.errors import FaultError, Forbidden, Refused, SfaError, did_you_mean

logger = logging.getLogger(__name__)
MAX_ERROR = 300  # characters of a sentence


@dataclass(frozen=True)
class Outcome:
    """What became of a call.

    Attributes
    ----------
    value : Any
        As JSON has it, with cleaned texts; None after an error.
    error : str
        One sentence; empty without an error.
    """

    value: Any = None
    error: str = ""


def offered(tools: Mapping[str, AgentTool], bench: Workbench) -> dict[str, AgentTool]:
    """Return the tools that a run may use; none whose effect cannot be undone."""
    scopes = bench.scopes & MOST_SCOPES
    return {name: tool for name, tool in tools.items() if tool.scope in scopes}


def runs_beside_others(tool: AgentTool) -> bool:
    """Return whether calls of a tool may run at once: it changes nothing, and its scope agrees."""
    return tool.is_read_only and tool.scope == "read"


async def call_tool(
    tools: Mapping[str, AgentTool], bench: Workbench, name: str, arguments: Any
) -> Outcome:
    """Call a tool by its name, with arguments of any type.

    Parameters
    ----------
    tools : mapping
        All that there are, offered or not.
    bench : Workbench
    name : str
    arguments : Any

    Returns
    -------
    Outcome
        It raises nothing but cancellation.
    """
    try:
        answer = await _tool(tools, bench, name).use_json(bench, arguments)
        return Outcome(harmless(msgspec.to_builtins(answer)))
    except SfaError as error:
        said = error
    except Exception as error:
        logger.exception("the tool %.60s failed", name)
        said = FaultError.of(error)
    return Outcome(error=clean(said, MAX_ERROR))


def _tool(tools: Mapping[str, AgentTool], bench: Workbench, name: str) -> AgentTool:
    allowed = offered(tools, bench)
    if name in allowed:
        return allowed[name]
    if name in tools:
        scopes = ", ".join(sorted(bench.scopes))
        raise Forbidden(f'{name} needs the scope "{tools[name].scope}"', f"given are: {scopes}")
    hint = did_you_mean(name, allowed) or f"there are: {', '.join(allowed)}"
    raise Refused(f'no tool "{name:.60}"', hint)
