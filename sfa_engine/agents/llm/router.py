"""Asks providers in turn until one answers.

::

    chain ─► attempt ─┬─ pieces, answer ────────────────────────► the end
               ▲  ▲   ├─ failed after a piece was shown ────────► interrupted: never another one
               │  └───┼─ 408, 409, 429, 5xx, no connection ─ once more, after a wait of ≤ 20 s
               └──────┴─ anything else, or failed again ───────── next provider

At most 4 attempts fail in a question. Time and chance are the clock's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import msgspec

from sfa_engine.agents.llm.budget import MAX_FAILURES, Question
from sfa_engine.agents.llm.client import Call, Client, prepare
from sfa_engine.agents.llm.clock import Clock
from sfa_engine.agents.llm.dialect import UNREADABLE
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.health import Health, ProviderStatus
from sfa_engine.agents.llm.message import (
    BYTES_PER_TOKEN,
    Answer,
    Event,
    Piece,
    Preference,
    Request,
    Usage,
)
from sfa_engine.agents.llm.provider import Provider
from sfa_engine.agents.llm.registry import MILLION, Model, Registry
from sfa_engine.errors import Refused, did_you_mean

MAX_WAIT_S = 20.0  # that a provider may ask for; after longer ones it is of no use here
BACKOFF_S, MAX_BACKOFF_S = 0.5, 8.0
FIRST_SHARE = 0.5  # of the time that is left, before a silent provider is given up for the next
JITTER = 0.25  # share of a wait that chance takes away
LEAST_CONTEXT, USUAL_CONTEXT = 4096, 32_768  # asked of Ollama; its memory grows with it
BILLED = frozenset({"ok", "cancelled", "bad_answer", "budget"})  # outcomes, probably
BYTES_PER_TOKEN_MOST = 8  # no text has more: fewer tokens than that were read, not all


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt; it is stored.

    Attributes
    ----------
    provider : Provider
    model : str
        As it was asked for.
    usage : Usage
    cost_usd : float, optional
    latency_ms : int
    outcome : str
        ``ok``, or the kind of the failure.
    """

    provider: Provider
    model: str
    usage: Usage
    cost_usd: float | None
    latency_ms: int
    outcome: str


@dataclass(frozen=True)
class Candidate:
    """A provider with the model that it would be asked for."""

    provider: Provider
    model: Model
    status: ProviderStatus

    @property
    def is_free(self) -> bool:
        """Whether no token is billed."""
        return self.provider.is_free(self.model.name)


Record = Callable[[Attempt], Awaitable[None]]


class Router:
    """Asks the providers of one account.

    Parameters
    ----------
    providers : sequence of Provider
        In the user's order, those of the environment last.
    registry : Registry
    client : Client
    health : Health
    record : callable
        Called with each `Attempt`.
    clock : Clock
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        registry: Registry,
        client: Client,
        health: Health,
        record: Record,
        clock: Clock | None = None,
    ) -> None:
        self._providers = providers
        self._registry = registry
        self._client = client
        self._health = health
        self._record = record
        self._clock = clock or Clock()

    async def ask(
        self,
        request: Request,
        question: Question,
        *,
        provider: str = "",
        model: str = "",
        prefer: Preference | None = None,
        stream: bool = True,
    ) -> AsyncGenerator[Event]:
        """Yield the pieces of an answer, and at last all of it.

        With a schema there are no pieces: the answer is checked before it is shown.

        Parameters
        ----------
        request : Request
        question : Question
            The budget.
        provider, model : str
            Asked first, if given; a model goes with a provider.
        prefer : Preference, optional
            Without one, the user's order.
        stream : bool

        Yields
        ------
        event : Piece or Answer

        Raises
        ------
        LlmError
            No provider answered, or the budget is spent.
        Refused
            There is no such provider.
        """
        question.begin_round()
        self._health.used()
        began_s = self._clock.now()
        notes: list[str] = []
        last: LlmError | None = None
        candidates = await self.chain(request, provider, model, prefer, notes)
        for place, candidate in enumerate(candidates, 1):
            retries = 0
            while question.failures < MAX_FAILURES:
                shown = False
                share = FIRST_SHARE if place < len(candidates) else 1.0
                try:
                    events = self._attempt(candidate, request, question, share, stream=stream)
                    async with aclosing(events):
                        async for event in events:
                            if isinstance(event, Piece):
                                shown = True
                                yield event
                                continue
                            took_ms = round((self._clock.now() - began_s) * 1000)
                            yield replace(event, latency_ms=took_ms, notes=(*notes, *event.notes))
                            return
                except _Skipped as reason:
                    notes.append(f"{candidate.provider.name}: {reason}")
                    break
                except LlmError as error:
                    last = error
                    name = candidate.provider.name
                    if error.kind == "budget" and not shown:
                        raise LlmError(f"{name}: {error.message}", "budget") from None
                    question.failures += 1
                    if shown:
                        raise LlmError(
                            f"{name} failed after part of its answer: {error.message}",
                            "interrupted",
                        ) from None
                    notes.append(f"{name}: {error.message}")
                    wait_s = self._wait(error, retries, question)
                    if wait_s is None or question.failures >= MAX_FAILURES:
                        break
                    retries += 1
                    await self._clock.sleep(wait_s)
        raise self._no_answer(notes, last)

    async def chain(
        self,
        request: Request,
        provider: str = "",
        model: str = "",
        prefer: Preference | None = None,
        notes: list[str] | None = None,
    ) -> list[Candidate]:
        """Return what is asked in turn; why others are left out is added to `notes`."""
        if provider and provider not in {each.name for each in self._providers}:
            names = [each.name for each in self._providers]
            raise Refused(
                f'no provider "{provider:.40}"',
                did_you_mean(provider, names) or "see `sfa llm providers`",
            )
        found: list[Candidate] = []
        left_out: list[str] = [] if notes is None else notes
        for each in self._providers:
            candidate = await self._candidate(each, model if each.name == provider else "")
            reason = self._unsuitable(candidate, request)
            if reason:
                left_out.append(f"{each.name}: {reason}")
            else:
                found.append(candidate)
        today = self._clock.today

        def place(candidate: Candidate) -> tuple[bool, bool, bool, float]:
            each = candidate.provider
            is_free = prefer == "cost" and candidate.is_free
            return (
                each.name != provider,
                candidate.status.is_failing,
                each.is_system,
                0.0 if is_free else candidate.model.rank(prefer, today),
            )

        return sorted(found, key=place)

    async def _candidate(self, provider: Provider, model: str) -> Candidate:
        status = self._health.of(provider)
        usual = self._registry.of(provider.adapter.name)
        name = model or provider.model or (usual[0].name if usual else "")
        needs_details = provider.adapter.name == "ollama"
        if (not name or needs_details) and self._health.is_due(provider):
            status = await self._health.check(provider)
        usable = (each.name for each in status.listed if "embed" not in each.name)
        name = name or next(usable, "")
        known = self._registry.find(provider.adapter.name, name)
        listed = next((each for each in status.listed if each.name == name), None)
        if known.context is None and listed is not None:
            known = msgspec.structs.replace(known, context=listed.context)
        if known.tools is None and status.tools is not None:
            known = msgspec.structs.replace(known, tools=status.tools)
        return Candidate(provider, msgspec.structs.replace(known, name=name), status)

    def _unsuitable(self, candidate: Candidate, request: Request) -> str:
        """Return why a candidate is left out; empty if it is not."""
        model, status = candidate.model, candidate.status
        if not model.name:
            return "no model is named, and it lists none"
        if status.state == "out of quota":
            return "out of quota"
        if request.tools and model.tools is False:
            return f"{model.name} calls no tools"
        if request.schema is not None and model.json is False:
            return f"{model.name} answers by no schema"
        return ""

    async def _attempt(
        self,
        candidate: Candidate,
        request: Request,
        question: Question,
        share: float,
        *,
        stream: bool,
    ) -> AsyncGenerator[Event]:
        """Yield an answer of one provider; store what it took.

        `share` of the time that is left may pass before its first byte.
        """
        provider, model = candidate.provider, candidate.model
        call, most_usd = self._prepared(candidate, request, question, stream=stream)
        if not question.day.reserve(most_usd):
            raise _Skipped(f"it would take up to ${most_usd:.4f}, more than is left for today")
        began_s, usage, outcome = self._clock.now(), Usage(), "cancelled"
        shown_bytes = 0
        try:
            events = self._client.ask(call, question.left_s, question.left_s * share)
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Piece):
                        shown_bytes += len(event.text.encode("utf-8", "replace"))
                        if request.schema is None:
                            yield event
                        continue
                    usage = event.usage
                    answer = _checked(event, request, usage)
                    outcome = "ok"
                    self._health.succeeded(provider)
                    yield replace(
                        answer,
                        provider=provider.name,
                        model=provider.redacted(answer.model or model.name)[:200],
                        cost_usd=self._cost(candidate, usage),
                        notes=_cut_note(call, usage) if provider.adapter.name == "ollama" else (),
                    )
        except LlmError as error:
            usage, outcome = error.usage, error.kind
            wait_s = error.retry_after_s
            is_long = wait_s is not None and wait_s > MAX_WAIT_S
            self._health.failed(
                provider, error, wait_s if is_long or error.kind == "quota" else None
            )
            raise
        finally:
            cost = self._cost(candidate, usage)
            is_billed = bool(shown_bytes) or outcome in BILLED
            # What is not known is estimated, rather too high, for the budget alone.
            question.day.settle(most_usd, most_usd if cost is None and is_billed else cost)
            if usage.is_known:
                question.tokens += (usage.input or 0) + (usage.output or 0)
            elif is_billed:
                question.tokens += call.tokens + shown_bytes // BYTES_PER_TOKEN
            took_ms = round((self._clock.now() - began_s) * 1000)
            await self._record(Attempt(provider, model.name, usage, cost, took_ms, outcome))

    def _prepared(
        self, candidate: Candidate, request: Request, question: Question, *, stream: bool
    ) -> tuple[Call, float]:
        """Return a request within budget and context, and what it may cost at most."""
        provider, model = candidate.provider, candidate.model
        quirks = replace(provider.adapter.quirks, api_version=provider.api_version)
        call = prepare(provider, model.name, request, quirks, stream=stream)
        tokens = call.tokens
        context = model.context or (USUAL_CONTEXT if provider.adapter.name == "ollama" else None)
        if context is not None and tokens + min(request.max_tokens, 64) > context:
            raise _Skipped(f"about {tokens} tokens are more than {model.name} takes ({context})")
        allowed = question.answer_tokens(tokens, request.max_tokens)
        if provider.adapter.name == "ollama":
            assert context is not None
            quirks = replace(quirks, num_ctx=_window(tokens + allowed, context))
        smaller = replace(request, max_tokens=allowed)
        call = prepare(provider, model.name, smaller, quirks, stream=stream)
        given, said = model.prices(tokens, self._clock.today)
        if candidate.is_free or given is None or said is None:
            return call, 0.0
        return call, (tokens * given + allowed * said) / MILLION

    def _cost(self, candidate: Candidate, usage: Usage) -> float | None:
        if candidate.is_free:
            return 0.0
        return candidate.model.cost_usd(usage, self._clock.today)

    def _wait(self, error: LlmError, retries: int, question: Question) -> float | None:
        """Return how long to wait before the same provider is asked again; None: not at all."""
        if not error.is_retried or retries:
            return None
        wait_s = error.retry_after_s
        if wait_s is None:
            wait_s = min(MAX_BACKOFF_S, BACKOFF_S * 2.0 ** (question.failures - 1))
            wait_s = max(BACKOFF_S, wait_s * (1 - JITTER * self._clock.rng()))
        if wait_s > MAX_WAIT_S or wait_s >= question.left_s:
            return None
        return wait_s

    def _no_answer(self, notes: list[str], last: LlmError | None) -> LlmError:
        """Return the error when all of the chain has failed."""
        if not self._providers:
            error = LlmError("no language model is configured", "not_found")
            error.hint = "add one: `sfa llm add`"
            return error
        said = "; ".join(notes)
        if last is None:
            error = LlmError(f"no provider can be asked: {said}", "not_found")
            error.hint = "see `sfa llm providers`"
            return error
        return LlmError(
            f"no provider answered: {said}", last.kind, status=last.status, usage=last.usage
        )


class _Skipped(Exception):  # noqa: N818 - an attempt that is not made is no failure
    """A provider is not asked, for a reason that costs no attempt."""


def _window(tokens: int, most: int) -> int:
    """Return the context to ask of Ollama: a power of two, so that the model is not loaded anew."""
    return min(most, max(LEAST_CONTEXT, 1 << (tokens - 1).bit_length()))


def _checked(answer: Answer, request: Request, usage: Usage) -> Answer:
    """Refuse an answer that is not the JSON object that was asked for, or empty."""
    if answer.calls or answer.stop in {"refused", "paused"}:
        return answer
    if request.schema is not None:
        try:
            found = msgspec.json.decode(answer.text)
        except UNREADABLE as error:
            raise LlmError(
                f"its answer is not JSON: {error!s:.80}", "bad_answer", usage=usage
            ) from None
        if not isinstance(found, dict):
            raise LlmError("its answer is not a JSON object", "bad_answer", usage=usage)
    elif not answer.text.strip() and answer.stop == "end":
        raise LlmError("its answer is empty", "bad_answer", usage=usage)
    return answer


def _cut_note(call: Call, usage: Usage) -> tuple[str, ...]:
    """Return a note if Ollama read fewer tokens than the request can have."""
    read = usage.input
    least = len(call.body) // BYTES_PER_TOKEN_MOST
    if read is None or read >= least:
        return ()
    return (f"the model read {read} tokens of at least {least}: the prompt was cut",)
