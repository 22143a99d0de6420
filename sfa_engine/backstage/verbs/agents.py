"""``agents.*``: questions to agents; deterministic code answers, a language model words it.

::

    agents.ask ─► rules: tools ─► verbs, with the rights of the account ─► answer, proposals
                    └─► language model, if there is one ─► words: ``agents.piece`` as they come

Nothing of `sfa_engine.agents` is imported before a question is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from sfa_engine.backstage.access import By, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.line import NO_LINE, Asking, Line
from sfa_engine.backstage.verb_caller import VerbCaller
from sfa_engine.backstage.verbs.llm import LlmVerbs
from sfa_engine.backstage.verbs.proposals import ProposalVerbs
from sfa_engine.errors import Absent, BusyError, Forbidden, Refused, SfaError, did_you_mean
from sfa_engine.library import tracks as track_rows
from sfa_engine.wire import protocol
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import NO_NUL, verb

if TYPE_CHECKING:
    from sfa_engine.agents.contract import Context, Proposal, Result
    from sfa_engine.agents.llm.budget import Question
    from sfa_engine.agents.llm.router import Router
    from sfa_engine.agents.tools.tool import Workbench
    from sfa_engine.backstage.proposals.applier import Prepared

    Ask = Callable[[Context, Workbench, str], Awaitable[Result]]
    Word = Callable[..., Awaitable[Result]]

logger = logging.getLogger(__name__)
MAX_INSTRUCTION, MAX_OUTPUT = 2000, 8000  # characters
MAX_TRACKS, MAX_HISTORY = 500, 20
MAX_AT_ONCE = 2  # questions of an account
MAX_PROPOSALS = 20  # of a question
CHOICE_S = 10.0  # for a model to choose one of several agents; then rules do
RULES_S = 300.0  # tools may wait for jobs
FLUSH_S = 5.0  # for a client to read what a model said last
MAX_ANSWER_BYTES = protocol.MAX_BYTES * 3 // 4
# Topics of the verbs that tools may call: of no secrets, addresses, accounts or settings.
TOPICS = frozenset({"library", "mix", "loops", "jobs", "prep"})
PLACES = frozenset(  # name files and addresses
    {"prep.add", "prep.watched", "prep.unwatch", "library.import", "library.export"}
)
SURFACE = "agent"

Number = Annotated[int, Meta(ge=1, le=1 << 53)]
Numbers = Annotated[list[Number], Meta(max_length=MAX_TRACKS)]
Instruction = Annotated[str, Meta(min_length=1, max_length=MAX_INSTRUCTION, pattern=NO_NUL)]
ShortWord = Annotated[str, Meta(max_length=100, pattern=NO_NUL)]


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """An earlier question and its answer."""

    instruction: Instruction
    output: Annotated[str, Meta(max_length=MAX_OUTPUT)]
    agent: ShortWord
    tracks: Numbers = []


class Described(msgspec.Struct, frozen=True):
    """An agent: its name, what it does, and questions that it answers."""

    name: str
    sentence: str
    examples: tuple[str, str]


DESCRIBED = (
    Described(
        "track",
        "Tells what is known of a track, and how sure that is; proposes corrections of its grid.",
        ("What key is this track in?", "The grid of this track is half a beat late"),
    ),
    Described(
        "mix",
        "Puts tracks in order and plans the transitions; a mix is heard before it is proposed.",
        ("Plan a mix of these tracks that rises", "How would I mix this into number 12?"),
    ),
    Described(
        "stems",
        "Tells what each stem holds: levels, where voices sing, the best loops.",
        ("Where does the vocal stem sing?", "Find a good drum loop in this track"),
    ),
    Described(
        "cues",
        "Proposes hot cues at sections and where a voice comes in; those by hand stay.",
        ("Set cues for this track", "Which hot cues does this track have?"),
    ),
    Described(
        "mastering",
        "Measures loudness, spectrum and stereo, and says which chain is needed.",
        ("Is this track loud enough for streaming?", "Where does the bass lack mono?"),
    ),
    Described(
        "library",
        "Searches by words, tempo, key and sound, and proposes playlists.",
        ("Dark techno around 126 without vocals", "Make a playlist of tracks like this one"),
    ),
)


class AgentVerbs:
    """The verbs on agents.

    Parameters
    ----------
    context : PrepContext
    caller : VerbCaller
        It calls verbs for tools.
    llm : LlmVerbs
        The language models.
    proposals : ProposalVerbs
        They store what is proposed.
    ask : callable, optional
        Answers by rules; by default `sfa_engine.agents.orchestrator.ask`.
    word : callable, optional
        Words an answer by a model; by default `sfa_engine.agents.model_loop.worded`.
    """

    def __init__(
        self,
        context: PrepContext,
        caller: VerbCaller,
        llm: LlmVerbs,
        proposals: ProposalVerbs,
        ask: Ask | None = None,
        word: Word | None = None,
    ) -> None:
        self._context = context
        self._caller = caller
        self._llm = llm
        self._proposals = proposals
        self._given_ask = ask
        self._given_word = word
        # Questions in progress, by account: the client's word, and what answers.
        self._asking: dict[int, list[tuple[str, asyncio.Task[dict[str, Any]]]]] = {}

    @verb(scope="read")
    def agents_list(self) -> dict[str, Any]:
        """Return the agents: names, what each does, and two questions that it answers."""
        return {"agents": msgspec.to_builtins(DESCRIBED)}

    @verb(scope="propose", slow=True, owned=True)
    async def agents_ask(
        self,
        instruction: Instruction,
        task: ShortWord = "",
        track: Number | None = None,
        tracks: Numbers = [],  # noqa: B006 - never changed
        history: Annotated[list[Asked], Meta(max_length=MAX_HISTORY)] = [],  # noqa: B006
        model: bool = True,
        provider: ShortWord = "",
        stream: ShortWord = "",
        line: Asking = NO_LINE,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Ask an agent: that of `task`, or the one that fits; what it proposes is stored.

        `track` is what "this" stands for, `tracks` a selection, `history` what was asked before,
        oldest first. A language model words the answer if one is configured and `model` is true;
        with a word of the client's as `stream`, its words are pushed as ``agents.piece``. When the
        client disconnects, the question is cancelled.
        """
        context = await self._context_of(instruction, task, track, tracks, history, actor)
        if model and provider:
            await self._check_provider(provider, actor)
        pieces = _Pieces(line, stream)
        answer = self._answer(context, task, actor, model, provider, pieces)
        with self._counted(actor, stream, answer) as work:
            gone = asyncio.ensure_future(line.wait_gone())
            try:
                await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done() or work.cancelled():
                    raise Refused("the question is cancelled", "ask again")
                return work.result()
            finally:
                for each in (work, gone):
                    each.cancel()
                await asyncio.gather(work, gone, return_exceptions=True)
                await pieces.close()

    @verb(scope="propose", owned=True)
    def agents_cancel(self, stream: ShortWord, actor: By = SYSTEM) -> dict[str, Any]:
        """Cancel the account's questions that were asked with a word as `stream`."""
        found = [work for word, work in self._asking.get(actor.account, ()) if word == stream]
        for work in found:
            work.cancel()
        return {"count": len(found)}

    # ------------------------------------------------------------------ the question

    async def _context_of(
        self,
        instruction: str,
        task: str,
        track: int | None,
        tracks: Sequence[int],
        history: Sequence[Asked],
        actor: Actor,
    ) -> Context:
        """Return the checked question; of earlier answers only tracks that are there are left.

        Raises
        ------
        Refused
            It has no words, or there is no such agent.
        Absent
            A track that it names is not there for the actor.
        """
        from sfa_engine.agents.contract import AGENTS, Context, Turn

        if not instruction.strip():
            raise Refused("the question has no words", "ask something")
        for name in (*([task] if task else []), *(each.agent for each in history)):
            if name not in AGENTS:
                hint = did_you_mean(name, AGENTS) or f"they are {', '.join(AGENTS)}"
                raise Refused(f'no agent "{name:.40}"', hint)
        named = [*([track] if track is not None else []), *tracks]
        earlier = [number for each in history for number in each.tracks]
        seen = await self._seen([*named, *earlier], actor)
        for number in named:
            if number not in seen:
                raise Absent(f"no track {number}", "search for its title")
        turns = tuple(
            msgspec.convert(
                {
                    **msgspec.structs.asdict(each),
                    "tracks": [number for number in each.tracks if number in seen],
                },
                Turn,
            )
            for each in history
        )
        return Context(instruction.strip(), track, tuple(tracks), turns)

    async def _seen(self, numbers: Sequence[int], actor: Actor) -> set[int]:
        """Return those of some tracks that are there for an actor."""
        wanted, found = sorted(set(numbers)), set()
        async with self._context.database.reading() as connection:
            for at in range(0, len(wanted), MAX_TRACKS):
                page = wanted[at : at + MAX_TRACKS]
                listed = await track_rows.listed(connection, page, visible(actor))
                found |= {each.id for each in listed if each.deleted_at is None}
        return found

    async def _check_provider(self, provider: str, actor: Actor) -> None:
        names = [each.stored.name for each in await self._llm.models.listed(actor.account)]
        if provider not in names:
            hint = did_you_mean(provider, names) or "see `sfa llm providers`"
            raise Absent(f'no provider "{provider:.40}"', hint)

    @contextmanager
    def _counted(
        self, actor: Actor, stream: str, answer: Coroutine[Any, Any, dict[str, Any]]
    ) -> Iterator[asyncio.Task[dict[str, Any]]]:
        """Begin to answer a question of an account, which is counted while it is answered.

        A third one is refused, not queued: each may take a minute, and a client that waits without
        a sign would ask once more.
        """
        asking = self._asking.setdefault(actor.account, [])
        if len(asking) >= MAX_AT_ONCE:
            answer.close()
            raise BusyError(
                f"{MAX_AT_ONCE} questions are being answered", "wait until one of them is"
            )
        work = asyncio.create_task(answer)
        asking.append((stream, work))
        try:
            yield work
        finally:
            asking.remove((stream, work))
            if not asking:
                del self._asking[actor.account]

    # ------------------------------------------------------------------ the answer

    async def _answer(
        self,
        context: Context,
        task: str,
        actor: Actor,
        model: bool,
        provider: str,
        pieces: _Pieces,
    ) -> dict[str, Any]:
        bench = self._bench(context, actor)
        kept: list[tuple[Proposal, Prepared | str]] = []
        notes: list[str] = []
        llm = await self._model(actor, notes) if model else None
        if llm is not None and not task and self._given_ask is None:
            task = await self._chosen(context, llm)
        with nullcontext() if llm is None else llm.question.paused():
            result = await self._by_rules(context, bench, task)
            # As it is now, not after a model has talked for a minute.
            await self._prepare(kept, result, bench, actor)
        if llm is not None:
            result = await self._worded(result, context, bench, llm, provider, pieces, notes)
            await self._prepare(kept, result, bench, actor)
        proposals = await self._keep(kept, result, bench, actor, notes)
        await pieces.flush()
        return _shown(result, proposals, notes)

    def _bench(self, context: Context, actor: Actor) -> Workbench:
        from sfa_engine.agents.tools.lock import LOCK
        from sfa_engine.agents.tools.tool import USUAL_SCOPES, Workbench

        scopes = USUAL_SCOPES & actor.scopes
        limited = replace(actor, scopes=scopes)

        async def call(verb: str, **params: Any) -> Any:
            if verb == "get" and params == {"path": LOCK}:  # of the engine, only this
                return {"text": self._context.session.lock}
            topic = verb.partition(".")[0]
            if topic not in TOPICS or verb in PLACES:
                raise Forbidden(f"an agent may not call {verb:.60}", "ask for something else")
            return await self._caller.call(limited, SURFACE, verb, params)

        bench = Workbench(call, scopes)
        bench.tracks |= {
            *context.tracks,
            *(each for turn in context.history for each in turn.tracks),
        }
        if context.track is not None:
            bench.tracks.add(context.track)
        return bench

    async def _model(self, actor: Actor, notes: list[str]) -> _Model | None:
        """Return what asks a language model, with the budget of a question; None without one."""
        models = self._llm.models
        if not any(each.provider for each in await models.listed(actor.account)):
            return None
        try:
            return _Model(await models.router(actor.account), await models.question(actor.account))
        except SfaError as error:
            notes.append(f"answered by rules: {error.message}")
            return None

    async def _chosen(self, context: Context, llm: _Model) -> str:
        """Return the agent that a model chooses where rules find several nearly as good."""
        from sfa_engine.agents import model_loop, orchestrator

        found = orchestrator.candidates(context)
        if len(found) < 2:
            return ""
        try:
            async with asyncio.timeout(CHOICE_S):
                return await model_loop.chosen(context.instruction, found, llm.router, llm.question)
        except (SfaError, TimeoutError):
            return ""

    async def _by_rules(self, context: Context, bench: Workbench, task: str) -> Result:
        ask = self._given_ask
        if ask is None:
            from sfa_engine.agents import orchestrator

            ask = orchestrator.ask
        try:
            async with asyncio.timeout(RULES_S):
                return await ask(context, bench, task)
        except TimeoutError:
            raise Refused(f"the question took {RULES_S:g} s", "ask for less") from None

    def _word(self) -> Word:
        if self._given_word is not None:
            return self._given_word
        from sfa_engine.agents import model_loop

        return model_loop.worded

    async def _worded(
        self,
        result: Result,
        context: Context,
        bench: Workbench,
        llm: _Model,
        provider: str,
        pieces: _Pieces,
        notes: list[str],
    ) -> Result:
        """Return an answer in a model's words, or as it is, with a note."""
        asked: dict[str, Any] = {"provider": provider} if provider else {}
        if self._llm.models.config.prefer:
            asked["prefer"] = self._llm.models.config.prefer
        try:
            return await self._word()(
                *(result, context, bench, llm.router, llm.question),
                on_piece=pieces.add,
                **asked,
            )
        except SfaError as error:
            notes.append(f"answered by rules: {error.message}")
            return result

    # ------------------------------------------------------------------ proposals

    async def _prepare(
        self,
        kept: list[tuple[Proposal, Prepared | str]],
        result: Result,
        bench: Workbench,
        actor: Actor,
    ) -> None:
        """Note what new proposals are based on, or why they cannot be stored."""
        known = [each for each, _ in kept]
        for each in _proposed(result, bench):
            if each in known or len(kept) >= MAX_PROPOSALS:
                continue
            try:
                ready: Prepared | str = await self._proposals.applier.prepared(actor, each)
            except SfaError as error:
                ready = f'"{each.title:.80}" is not proposed: {error.message}'
            known.append(each)
            kept.append((each, ready))

    async def _keep(
        self,
        kept: Sequence[tuple[Proposal, Prepared | str]],
        result: Result,
        bench: Workbench,
        actor: Actor,
        notes: list[str],
    ) -> list[dict[str, Any]]:
        """Store what was proposed, and return it with its numbers."""
        wanted = _proposed(result, bench)
        if len(wanted) > MAX_PROPOSALS:
            notes.append(f"{len(wanted) - MAX_PROPOSALS} more proposals are left out")
        found: dict[int, dict[str, Any]] = {}
        for each, ready in kept:
            if each not in wanted:  # of words that were not given
                continue
            if isinstance(ready, str):
                notes.append(ready)
                continue
            number = await self._proposals.applier.keep(actor, result.agent, ready)
            said = msgspec.to_builtins(ready.proposal)
            del said["steps"]
            found[number] = {"id": number, **said}
        return list(found.values())


@dataclass(frozen=True)
class _Model:
    """What one question asks language models with: the choice of an agent, and the wording.

    Attributes
    ----------
    router : Router
    question : Question
        The budget of both; its clock stands while rules answer.
    """

    router: Router
    question: Question


class _Pieces:
    """A model's words, pushed as they come; a client that reads slowly delays no model.

    Parameters
    ----------
    line : Line
    stream : str
        A word of the client's; empty: nothing is pushed.
    """

    def __init__(self, line: Line, stream: str) -> None:
        self._line = line
        self._stream = stream
        self._text = ""
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._task: asyncio.Task[None] | None = None

    def add(self, text: str) -> None:
        """Take words over."""
        if not self._stream or not text:
            return
        self._text += text
        self._sent.clear()
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def flush(self) -> None:
        """Wait until all is sent; give up if the client does not read."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self._sent.wait()

    async def close(self) -> None:
        """Push no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        with suppress(ConnectionError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                text, self._text = self._text, ""
                if text:
                    await self._line.push("agents.piece", {"stream": self._stream, "text": text})
                if not self._text:
                    self._sent.set()
        self._stream = ""
        self._sent.set()


def _proposed(result: Result, bench: Workbench) -> list[Proposal]:
    """Return what was proposed, each once."""
    found = list(result.proposals)
    found += [each for each in bench.proposals if each not in found]
    return found


def _shown(
    result: Result, proposals: Sequence[dict[str, Any]], notes: Sequence[str]
) -> dict[str, Any]:
    """Return an answer as plain values that fit into a message."""
    said: dict[str, Any] = {
        **msgspec.to_builtins(result),
        "proposals": list(proposals),
        "notes": [*result.notes, *notes],
    }
    if len(msgspec.msgpack.encode(said)) > MAX_ANSWER_BYTES:
        said["data"] = {}
        said["evidence"] = said["evidence"][:100]
        said["notes"].append("the data of the answer are too long for a message")
    return said
