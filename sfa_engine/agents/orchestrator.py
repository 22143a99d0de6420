"""A question to its agent: by task, pipeline or route; errors become sentences.

::

    context, task ─► references ─┬─ task ──────────────────────────────► agent
                                 ├─ "find … and plan a mix" ─► agent ─► agent: tracks are passed on
                                 └─ route ─────────────────────────────► agent
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from sfa_engine.agents.contract import AGENTS, AgentName, Context, Result
from sfa_engine.agents.reference import names_a_track, referred
from sfa_engine.agents.routing import MARGIN, Route, route, scores_of
from sfa_engine.agents.specialists import cues, library, mastering, mix, stems, track
from sfa_engine.agents.specialists.subject import sentence
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.errors import Refused, SfaError, did_you_mean

MAX_INSTRUCTION = 2000  # characters
MAX_STEPS = 3  # of a pipeline
MIN_SCORE = 0.2  # of each part of a pipeline, for its agent
SEARCHED = 3.0  # points by stems of what is a search, though nothing is found: "find …"
MAX_MEANT = 3  # agents that are asked back about
MAX_ASKED_BACK = 200  # characters of a question that is repeated with them
_ADDRESSED = re.compile(rf"\s*({'|'.join(AGENTS)})\s*:\s*(\S.*)", re.IGNORECASE | re.DOTALL)

Answer = Callable[[Context, Workbench], Awaitable[Result]]
SPECIALISTS: Mapping[AgentName, Answer] = {
    "track": track.answer,
    "mix": mix.answer,
    "stems": stems.answer,
    "cues": cues.answer,
    "mastering": mastering.answer,
    "library": library.answer,
}
HELP = (
    "Ask about a track (tempo, key, grid, sections), its stems, cues or loudness; for tracks in "
    "words, or for a mix or a transition. What is proposed is applied by you."
)
EXAMPLES = (
    "What goes with track 1?",
    "Dark techno around 126",
    "Set hot cues for track 1",
    "Plan a mix of techno, rising",
)
_GREETING = re.compile(
    r"^(?:hello|hi|hey|hallo|moin|servus|help|hilfe|what can (?:you|i) (?:do|ask)|was kannst du"
    r"|who are you|wer bist du|how does this work)\b(?:\W+\w+){0,3}\W*$"
)
_POLITE = r"^(?:please |bitte |can you |could you |kannst du )?"
# What agents do not do, and who does.
_REFUSED = (
    (
        re.compile(
            _POLITE + r"(?:delete|remove|erase|trash|wipe|l[öo]e?sch\w*|entfern\w*)\b"
            r"(?!.*\b(?:vocal|voice|sing|gesang|stimme|drum|schlagzeug|bass|stem|noise|clip|silence))"
            r".*\b(?:tracks?|songs?|titel|lied|st[uü]ck|cues?|playlist|librar|bibliothek|files?"
            r"|datei|everything|alles|#?\d)"
        ),
        "agents delete nothing",
        "use `sfa library remove`, `delete-cue` or `playlist drop`",
    ),
    (
        re.compile(
            _POLITE + r"(?:play|start|load|stop|spiele?|starte|lade|stoppe?)\b"
            r"(?:.*\bdeck|\s+(?:track|titel|number|nummer|#|\d|this|diese))"
        ),
        "a question moves no deck",
        "use `sfa load` and `sfa play`",
    ),
)
# Joints of two requests: "analyse this and set cues", "suche …, dann plane einen Mix".
_JOINT = re.compile(
    r"\s*[?!;]\s+(?:(?:oh )?(?:and then|and|und dann|und|also)\s+)?"
    r"|(?:,\s*|\s+)(?:and then|und dann|then|dann|afterwards|danach|and also|and|und)\s+|\s*;\s*",
    re.IGNORECASE,
)
# A part of a pipeline asks for something: a list of things has neither a verb nor a question word.
_VERB = re.compile(
    r"^(?:please |bitte )?(?:analy\w+|find\w*|search|suche?|set|setze?|plan\w*|propose|suggest"
    r"|schlag\w*|mark\w*|make|mach\w*|put|build|bau\w*|order|ordne|arrange|sort\w*|mix\w*|isolat\w+|isolier\w*"
    r"|separat\w+|trenn\w*|master\w*|measure|miss|check|prüfe?|show|zeig\w*|tell|give|gib|list|create"
    r"|erstell\w*|take|work|pull|bring|nimm|hol\w*|sag\w*|cue|blend|blende|propose|recommend|empfiehl|fix|korrigier\w*|get|pick|leg\w*|what\w*|which|how|is|are|does|do|can|could|where|when|who|will|should"
    r"|was|welche\w*|wie|ist|sind|hat|kann|wo|wann|passt|passen)\b",
    re.IGNORECASE,
)


async def ask(context: Context, bench: Workbench, task: str = "") -> Result:
    """Answer a question by rules.

    Parameters
    ----------
    context : Context
    bench : Workbench
        Tracks of the context may be used from now on; what is proposed is added.
    task : str
        The agent, or empty: it is chosen by the words.

    Returns
    -------
    Result
        What cannot be done is said in it, with what to do about it.

    Raises
    ------
    Refused
        There is no such agent, or the instruction is empty or too long.
    """
    if task and task not in AGENTS:
        raise Refused(
            f'no agent "{task:.40}"', did_you_mean(task, AGENTS) or f"give {', '.join(AGENTS)}"
        )
    if not context.instruction.strip():
        raise Refused("the question is empty", 'ask, as in "what goes with track 12?"')
    if len(context.instruction) > MAX_INSTRUCTION:
        raise Refused(
            f"the question has {len(context.instruction)} characters",
            f"{MAX_INSTRUCTION} at most",
        )
    began_s = time.perf_counter()
    if not task:
        task, context = _addressed(context)
    parts = [] if task else pipeline(context.instruction)
    if not task and (said := no_question(context.instruction)):
        made = said
    elif parts:
        made = await _in_turn(context, bench, parts)
    else:
        found = None if task else chosen(context)
        asked = context.instruction
        context = _repeated(referred(context))
        _allow(context, bench)
        agent = next(each for each in AGENTS if each == task) if found is None else found.agent
        made = await answered(agent, context, bench)
        if found is not None and found.margin < MARGIN:
            made = _asked_back(made, found, asked)
    return replace(made, latency_ms=round(1000 * (time.perf_counter() - began_s)))


def _addressed(context: Context) -> tuple[str, Context]:
    """Return the agent that a question begins with, as "cues: where to start", and the rest."""
    found = _ADDRESSED.match(context.instruction)
    if found is None:
        return "", context
    return found[1].lower(), replace(context, instruction=found[2])


def _asked_back(made: Result, found: Route, instruction: str) -> Result:
    """Return an answer of an agent that is not sure to be meant, with the others to choose from.

    A search that has found nothing is not worth showing: then it is only asked what is meant.
    """
    text = clean(instruction, MAX_ASKED_BACK)
    meant = (found.agent, *found.rivals) if found.rivals else AGENTS
    others = tuple(f"{agent}: {text}" for agent in meant[:MAX_MEANT] if agent != made.agent)
    is_empty = not (made.tracks or made.proposals or "error" in made.data)
    is_search = scores_of(instruction)["library"] >= SEARCHED
    if made.agent == "library" and is_empty and not is_search:
        said = f"It is not clear what is asked: {sentence(HELP)} Or begin with the agent:"
        output = "\n".join((said, *others))
        return replace(made, output=output, data={"unclear": list(meant)}, questions=others)
    return replace(made, questions=(*others, *made.questions))


def no_question(instruction: str) -> Result | None:
    """Return the answer to what is no question for an agent: greetings, deletions, decks."""
    text = clean(instruction, 200).lower()
    if _GREETING.search(text):
        return Result(HELP, {}, "library", questions=EXAMPLES)
    for words, message, hint in _REFUSED:
        if words.search(text):
            said = f"{sentence(message)} {sentence(hint)}"
            return Result(said, {"error": Refused.code}, "library")
    return None


def chosen(context: Context) -> Route:
    """Return the agent that a question is for, by its words and what was asked before."""
    return route(context.instruction, context.history)


def candidates(context: Context) -> tuple[AgentName, ...]:
    """Return the agents that rules find nearly as good for a question, best first.

    None where there is nothing to choose: several requests, or what no agent does.
    """
    text = context.instruction
    if _ADDRESSED.match(text) or no_question(text) or pipeline(text):
        return ()
    found = chosen(context)
    return (found.agent, *found.rivals[:2]) if found.margin < MARGIN else (found.agent,)


def _repeated(context: Context) -> Context:
    """Return a context that only names another track, as "and the second one?", as a question.

    It is the one before, of that track.
    """
    is_said = any(scores_of(context.instruction).values())
    if is_said or not context.history or not names_a_track(context.instruction):
        return context
    return replace(context, instruction=context.history[-1].instruction)


async def answered(agent: AgentName, context: Context, bench: Workbench) -> Result:
    """Return the answer of an agent; an error of a verb is a sentence in it."""
    proposed = len(bench.proposals)
    try:
        return await SPECIALISTS[agent](context, bench)
    except SfaError as error:
        del bench.proposals[proposed:]
        return failed(agent, error, bench)


def failed(agent: AgentName, error: SfaError, bench: Workbench) -> Result:
    """Return an answer that says what went wrong, and what to do about it."""
    hint = f" {_sentence(error.hint)}" if error.hint else ""
    return Result(
        output=f"{_sentence(error.message)}{hint}",
        data={"error": error.code},
        agent=agent,
        proposals=tuple(bench.proposals),
    )


def pipeline(instruction: str) -> list[tuple[AgentName, str]]:
    """Return the parts of an instruction that are requests to different agents; else none.

    "find dark techno and plan a mix" has two; "find drum and bass" is one request.
    """
    parts = _JOINT.split(instruction.strip())
    if not 2 <= len(parts) <= MAX_STEPS or not all(map(_VERB.search, parts)):
        return []
    found: list[tuple[AgentName, str]] = []
    for part in parts:
        best = route(part)
        if best.score < MIN_SCORE:
            return []
        found.append((best.agent, part))
    agents = [agent for agent, _ in found]
    return found if len(set(agents)) == len(agents) else []


async def _in_turn(
    context: Context, bench: Workbench, parts: Sequence[tuple[AgentName, str]]
) -> Result:
    """Answer each part with the tracks of the one before; stop at the first error."""
    done: list[Result] = []
    for number, (agent, instruction) in enumerate(parts):
        part = referred(replace(context, instruction=instruction))
        if done and (passed := done[-1].tracks):
            part = replace(part, track=passed[0], tracks=passed)
        elif number and context.track is None:
            # "analyse track 12 and set cues": the second part names none.
            whole = referred(context)
            part = replace(
                part, track=part.track or whole.track, tracks=part.tracks or whole.tracks
            )
        _allow(part, bench)
        made = await answered(agent, part, bench)
        if "error" in made.data:
            return _joined([*done, made], parts[number:])
        done.append(made)
    return _joined(done, ())


def _joined(done: Sequence[Result], left: Sequence[tuple[AgentName, str]]) -> Result:
    """Return the answers of a pipeline as one; what was left out is said."""
    last = done[-1]
    data: dict[str, Any] = {"steps": [{"agent": each.agent, "data": each.data} for each in done]}
    if "error" in last.data:
        data["error"] = last.data["error"]
    not_done = [clean(part) for _, part in left[1:]]
    said = [each.output for each in done]
    if not_done:
        said.append(f"Not done: {'; '.join(not_done)}.")
    notes = [note for each in done for note in each.notes]
    return Result(
        output="\n\n".join(said),
        data=data,
        agent=last.agent,
        evidence=tuple(item for each in done for item in each.evidence),
        proposals=last.proposals,
        tracks=last.tracks or next((each.tracks for each in reversed(done) if each.tracks), ()),
        questions=last.questions,
        notes=tuple(dict.fromkeys(notes)),
    )


def _allow(context: Context, bench: Workbench) -> None:
    """Let the tools use the tracks that the person has named."""
    named = context.tracks if context.track is None else (context.track, *context.tracks)
    bench.tracks.update(named)


def _sentence(text: str) -> str:
    """Return a message as a sentence."""
    return sentence(clean(text, 300))
