"""All tools by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sfa_engine.agents.tools.decks import DECK_ACT
from sfa_engine.agents.tools.facts import TRACK_FACTS
from sfa_engine.agents.tools.jobs import JOB_START
from sfa_engine.agents.tools.loudness import LOUDNESS_REPORT
from sfa_engine.agents.tools.mixes import AUDITION, PLAN_ORDER, PLAN_TRANSITION
from sfa_engine.agents.tools.proposals import PROPOSE_CUES, PROPOSE_GRID_SHIFT, PROPOSE_PLAYLIST
from sfa_engine.agents.tools.search import COMPATIBLE_TRACKS, LIBRARY_SEARCH, SIMILAR_TRACKS
from sfa_engine.agents.tools.stems import LOOPS, STEM_REPORT
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.errors import Refused, did_you_mean

TOOLS: Mapping[str, AgentTool] = {
    tool.name: tool
    for tool in (
        LIBRARY_SEARCH,
        TRACK_FACTS,
        SIMILAR_TRACKS,
        COMPATIBLE_TRACKS,
        PLAN_ORDER,
        PLAN_TRANSITION,
        AUDITION,
        PROPOSE_CUES,
        PROPOSE_PLAYLIST,
        PROPOSE_GRID_SHIFT,
        LOUDNESS_REPORT,
        STEM_REPORT,
        LOOPS,
        JOB_START,
        DECK_ACT,
    )
}


async def use(bench: Workbench, name: str, params: Any) -> msgspec.Struct:
    """Run a tool by its name, with plain values, as a model or an MCP client sends them.

    Raises
    ------
    Refused
        There is no such tool, or it takes something else.
    SfaError
        As `AgentTool.use_json`.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise Refused(f'no tool "{name:.60}"', did_you_mean(name, TOOLS) or ", ".join(TOOLS))
    return await tool.use_json(bench, params)
