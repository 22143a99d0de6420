"""What an agent is asked, what it answers, and what it proposes. Pure.

::

    Context ─► agent ─► Result ─┬─ output    words, plain text
                                ├─ data      typed, made by code, with or without a model
                                ├─ evidence  what the words rest on
                                └─ proposals what a person may apply
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

AgentName = Literal["track", "mix", "stems", "cues", "mastering", "library"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
ProposalKind = Literal["cues", "playlist", "grid", "plan"]


class Turn(msgspec.Struct, frozen=True):
    """An earlier question and its answer.

    Attributes
    ----------
    instruction : str
    output : str
    agent : AgentName
    tracks : tuple of int
        The tracks that the answer was about, so that "the second one" can be understood.
    """

    instruction: str
    output: str
    agent: AgentName
    tracks: tuple[int, ...] = ()


class Context(msgspec.Struct, frozen=True):
    """What an agent is asked.

    Attributes
    ----------
    instruction : str
        In the user's words.
    track : int, optional
        The track that "this" stands for.
    tracks : tuple of int
        More of them: a selection.
    history : tuple of Turn
        Oldest first.
    """

    instruction: str
    track: int | None = None
    tracks: tuple[int, ...] = ()
    history: tuple[Turn, ...] = ()


class Evidence(msgspec.Struct, frozen=True):
    """A fact that an answer rests on.

    Attributes
    ----------
    sentence : str
        "124.0 BPM, confidence .97".
    source : str
        The tool that returned it.
    track : int, optional
        The track that it is about.
    position_s : float, optional
        The place in it.
    """

    sentence: str
    source: str
    track: int | None = None
    position_s: float | None = None


class Step(msgspec.Struct, frozen=True):
    """A request that carries out a part of a proposal.

    Attributes
    ----------
    verb : str
    params : dict
    """

    verb: str
    params: dict[str, Any]


class Proposal(msgspec.Struct, frozen=True):
    """A change that a person may apply.

    Attributes
    ----------
    kind : ProposalKind
    title : str
        One line: "6 cues for Us - Quiet".
    reason : str
    steps : tuple of Step
        What applying it does, in order.
    details : dict
        As shown to a person, by kind.
    tracks : tuple of int
        The tracks that it changes or uses.
    audition : str
        Name of the plan whose sound can be heard before; empty if nothing would be audible.
    """

    kind: ProposalKind
    title: str
    reason: str
    steps: tuple[Step, ...]
    details: dict[str, Any]
    tracks: tuple[int, ...] = ()
    audition: str = ""


class Result(msgspec.Struct, frozen=True):
    """What an agent answers.

    Attributes
    ----------
    output : str
        Plain text.
    data : dict
        Made by code, with or without a model.
    agent : AgentName
    by : str
        ``rules`` or ``model``.
    evidence : tuple of Evidence
    proposals : tuple of Proposal
    tracks : tuple of int
        The tracks that it is about, for the next question.
    questions : tuple of str
        That may be asked next.
    notes : tuple of str
        What the user should know: a model that failed, words that were not understood.
    model, provider : str
        Empty if no model was asked.
    tokens : int
    cost_usd : float, optional
        None if a price is unknown.
    latency_ms : int
    """

    output: str
    data: dict[str, Any]
    agent: AgentName
    by: Literal["rules", "model"] = "rules"
    evidence: tuple[Evidence, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    tracks: tuple[int, ...] = ()
    questions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    model: str = ""
    provider: str = ""
    tokens: int = 0
    cost_usd: float | None = None
    latency_ms: int = 0
