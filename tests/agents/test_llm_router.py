"""The router: chain, retries, waits, budgets, and what is never done silently."""

from __future__ import annotations

import asyncio
import json
from datetime import date

import pytest
from fake_llm import MODEL, Reply, anthropic_answer, error, openai_answer, said
from llm_cases import ASKED, SEARCH, WITH_SCHEMA, WITH_TOOLS, Desk, Time, made, with_fakes

from sfa_engine.agents.llm.budget import MAX_FAILURES, MAX_ROUNDS, DayBudget, Question
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.message import Message, Piece, Request, Tool
from sfa_engine.agents.llm.registry import Model
from sfa_engine.errors import Refused


def pair(first, second, **more):
    """Return two providers of two servers."""
    return [made("openai", first.url, "one", **more), made("anthropic", second.url, "two", **more)]


def busy(**headers):
    return error("openai", 503, "", **headers)


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize(
    ("chance", "headers", "wait"),
    [
        (0.0, {}, 0.5),
        (1.0, {}, 0.5),  # never less
        (0.0, {"retry_after": "20"}, 20.0),
        (0.0, {"retry_after": "0"}, 0.0),
        (0.0, {"retry_after_ms": "1500"}, 1.5),
    ],
)
def test_the_same_provider_is_asked_once_more_after_the_wait(chance, headers, wait):
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)])
        desk.time.chance = chance
        fake.replies = [busy(**headers)]
        _, answer = await desk.ask()
        assert desk.time.waits == [wait]
        assert desk.outcomes == ["busy", "ok"]
        assert answer.latency_ms == round(wait * 1000)
        assert answer.notes == ("openai: it answered 503: no",)

    with_fakes(scenario)


def test_waits_without_a_header_grow_from_half_a_second_to_eight():
    async def scenario(one, two):
        for fake in (one, two):
            fake.always = busy()
        desk = Desk(pair(one, two))
        failure = await desk.fails()
        assert desk.time.waits == [0.5, 2.0]  # before the attempts 2 and 4
        assert failure.kind == "busy"
        desk = Desk(pair(one, two))
        desk.time.chance = 1.0
        await desk.fails()
        assert desk.time.waits == [0.5, 1.5]

    with_fakes(scenario, 2)


def test_a_longer_wait_is_for_the_next_provider():
    async def scenario(one, two):
        desk = Desk(pair(one, two))
        one.always = error("openai", 429, "rate_limit_exceeded", retry_after="20.5")
        _, answer = await desk.ask()
        assert (answer.provider, desk.time.waits, len(one.asked)) == ("two", [], 1)
        status = desk.health.of(desk.router._providers[0])
        assert status.state == "out of quota"
        assert status.until_s == desk.time.clock.wall() + 20.5
        await desk.ask()
        assert len(one.asked) == 1  # not before its time
        desk.time.now_s += 21
        one.always = None
        _, answer = await desk.ask()
        assert answer.provider == "one"

    with_fakes(scenario, 2)


def test_a_spent_quota_is_left_alone_for_an_hour_or_as_long_as_it_says():
    async def scenario(one, two):
        desk = Desk(pair(one, two), max_seconds=9999.0)
        one.always = error("openai", 429, "insufficient_quota")
        _, answer = await desk.ask()
        assert (answer.provider, len(one.asked)) == ("two", 1)
        desk.time.now_s += 3599
        await desk.ask()
        assert len(one.asked) == 1
        desk.time.now_s += 2
        await desk.ask()
        assert len(one.asked) == 2
        gemini = made("google_gemini", one.url, "g")
        one.always = error("gemini", 429, "RESOURCE_EXHAUSTED", delay="9h54m")
        desk = Desk([gemini])
        failure = await desk.fails()
        assert desk.health.of(gemini).until_s == desk.time.clock.wall() + 35_640
        assert failure.kind == "rate_limit"
        failure = await desk.fails()
        assert failure.message == "no provider can be asked: g: out of quota"

    with_fakes(scenario, 2)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_what_a_retry_does_not_help_is_not_retried(status):
    async def scenario(one, two):
        desk = Desk(pair(one, two))
        one.always = error("openai", status, "")
        _, answer = await desk.ask()
        assert (answer.provider, len(one.asked), desk.time.waits) == ("two", 1, [])

    with_fakes(scenario, 2)


def test_four_attempts_fail_at_most_whatever_the_number_of_providers():
    async def scenario(fake):
        fake.always = error("openai", 401, "")
        desk = Desk([made("openai", fake.url, f"p{n}") for n in range(9)])
        failure = await desk.fails()
        assert len(fake.asked) == MAX_FAILURES
        assert failure.message.count("it answered 401") == MAX_FAILURES
        await desk.fails()  # the same question again
        assert len(fake.asked) == MAX_FAILURES

    with_fakes(scenario)


def test_a_wait_beyond_the_time_of_the_question_is_not_waited():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)], max_seconds=10.0)
        fake.always = busy(retry_after="10")
        failure = await desk.fails()
        assert (desk.time.waits, failure.kind) == ([], "busy")

    with_fakes(scenario)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [True, False])
def test_a_provider_that_sends_nothing_leaves_half_of_the_time_to_the_next(stream):
    async def scenario(one, two):
        desk = Desk(pair(one, two), max_seconds=0.6)
        one.always = Reply(kind="text/event-stream", hangs=True)
        _, answer = await desk.ask(stream=stream)
        assert answer.provider == "two"
        assert answer.notes == ("one: it sends nothing for 0.3 s",)
        assert (desk.time.waits, len(one.asked)) == ([], 1)
        assert desk.health.of(desk.router._providers[0]).state == "unreachable"

    with_fakes(scenario, 2)


def test_after_a_piece_was_shown_no_other_provider_answers():
    async def scenario(one, two):
        desk = Desk(pair(one, two))
        whole = openai_answer({"stream": True})
        one.always = Reply(kind=whole.kind, chunks=whole.chunks[:2], cut=True)
        pieces = []
        failure = None
        try:
            async for event in desk.router.ask(ASKED, desk.question):
                pieces.append(event.text)  # noqa: PERF401 - the loop fails
        except LlmError as error:
            failure = error
        assert (pieces, failure.kind) == (["Grü"], "interrupted")
        assert failure.message.startswith("one failed after part of its answer: it broke ")
        assert (len(one.asked), len(two.asked), desk.time.waits) == (1, 0, [])
        assert failure.hint == "ask again"

    with_fakes(scenario, 2)


def test_before_a_piece_was_shown_another_one_answers_and_it_is_said():
    async def scenario(one, two):
        desk = Desk(pair(one, two))
        one.always = Reply(kind="text/event-stream", chunks=[b"data: {}\n\n"], cut=True)
        _, answer = await desk.ask()
        assert answer.provider == "two"
        assert len(answer.notes) == 2
        assert all(each.startswith("one: it broke ") for each in answer.notes)

    with_fakes(scenario, 2)


def test_an_answer_that_is_not_the_json_asked_for_is_not_taken():
    async def scenario(one, two):
        desk = Desk(pair(one, two))
        for text in ("Sure! Here it is", "[1]", ""):
            message = {"role": "assistant", "content": text}
            one.replies = [said({"choices": [{"message": message, "finish_reason": "stop"}]})]
            pieces, answer = await desk.ask(WITH_SCHEMA, stream=False)
            assert (pieces, answer.provider) == ([], "two")
            assert json.loads(answer.text)
            desk.question.failures = desk.question.rounds = 0
        assert desk.outcomes == ["bad_answer", "ok"] * 3

    with_fakes(scenario, 2)


def test_an_empty_answer_is_none_and_a_refusal_is_one():
    async def scenario(one, two):
        desk = Desk(pair(one, two))
        for reason, provider in (("stop", "two"), ("content_filter", "one")):
            message = {"role": "assistant", "content": ""}
            one.replies = [said({"choices": [{"message": message, "finish_reason": reason}]})]
            _, answer = await desk.ask(stream=False)
            assert answer.provider == provider

    with_fakes(scenario, 2)


# ---------------------------------------------------------------- the chain

MODELS = [
    Model("openai", "good", quality=5, speed=1, input=5.0, output=25.0),
    Model("openai", "fast", quality=2, speed=5, input=1.0, output=5.0),
    Model("openai", "cheap", quality=3, speed=3, input=0.1, output=0.4),
    Model("openai", "past", quality=1, speed=2, input=0.01, output=0.01, until=date(2025, 1, 1)),
]


async def order(desk, request=ASKED, **more):
    return [each.provider.name for each in await desk.router.chain(request, **more)]


def test_the_chain_follows_the_preference_and_then_the_users_order():
    async def scenario(fake):
        names = ["past", "fast", "unknown", "good", "cheap"]
        desk = Desk([made("openai", fake.url, name, model=name) for name in names], MODELS)
        assert await order(desk) == names
        assert await order(desk, prefer="quality") == ["good", "cheap", "fast", "past", "unknown"]
        assert await order(desk, prefer="speed") == ["fast", "cheap", "past", "good", "unknown"]
        # What has no price, or had one until last year, is not taken for free.
        assert await order(desk, prefer="cost") == ["cheap", "fast", "good", "past", "unknown"]
        assert (await order(desk, prefer="cost", provider="good"))[0] == "good"

    with_fakes(scenario)


def test_a_model_of_this_machine_costs_nothing_and_those_of_the_system_are_last():
    async def scenario(fake):
        system = made("openai", fake.url, "system-openai", model="cheap", is_system=True)
        paid = made("openai", fake.url, "paid", model="good")
        local = made("lm_studio", fake.url, "local", model="qwen")
        desk = Desk([paid, local, system], MODELS)
        assert await order(desk, prefer="cost") == ["local", "paid", "system-openai"]
        _, answer = await desk.ask(provider="local")
        assert (answer.cost_usd, desk.attempts[0].cost_usd) == (0.0, 0.0)

    with_fakes(scenario)


def test_a_provider_that_is_down_is_asked_last_and_an_asked_one_first_all_the_same():
    async def scenario(one, two):
        desk = Desk(pair(one, two))
        one.always = error("openai", 401, "")
        _, answer = await desk.ask()
        assert answer.provider == "two"
        assert await order(desk) == ["two", "one"]
        assert await order(desk, provider="one") == ["one", "two"]
        with pytest.raises(Refused, match='no provider "on"'):
            await order(desk, provider="on")

    with_fakes(scenario, 2)


def test_a_model_without_the_features_is_left_out_and_an_unknown_one_is_tried():
    async def scenario(fake):
        models = [Model("openai", "plain", tools=False, json=False)]
        providers = [
            made("openai", fake.url, "a", model="plain"),
            made("openai", fake.url, "b", model="x"),
        ]
        desk = Desk(providers, models)
        assert await order(desk) == ["a", "b"]
        assert await order(desk, WITH_TOOLS) == ["b"]
        assert await order(desk, WITH_SCHEMA) == ["b"]
        desk = Desk(providers[:1], models)
        failure = await desk.fails(WITH_TOOLS)
        assert failure.message == "no provider can be asked: a: plain calls no tools"
        assert fake.asked == []

    with_fakes(scenario)


def test_a_provider_without_a_model_is_asked_for_the_usual_one_or_the_first_that_it_lists():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url, model="")], MODELS)
        await desk.ask()
        assert fake.asked[-1].body["model"] == "good"
        desk = Desk([made("litellm", fake.url, model="")])
        await desk.ask()
        assert fake.asked[-1].body["model"] == MODEL
        fake.always = error("openai", 404, "")
        desk = Desk([made("litellm", fake.url, model="")])
        failure = await desk.fails()
        assert "no model is named, and it lists none" in failure.message

    with_fakes(scenario)


def test_without_a_provider_the_error_says_how_to_add_one():
    async def scenario():
        failure = await Desk([]).fails()
        assert str(failure) == "no language model is configured; add one: `sfa llm add`"

    with_fakes(scenario, 0)


# ---------------------------------------------------------------- budgets


def test_a_prompt_beyond_the_context_is_not_sent():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)], [Model("openai", MODEL, context=1000)])
        failure = await desk.fails(Request((Message("user", "x" * 9000),)))
        assert "are more than fake-1 takes (1000)" in failure.message
        assert (fake.asked, desk.question.failures) == ([], 0)

    with_fakes(scenario)


def test_the_tokens_of_a_question_are_shared_by_its_rounds():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)], max_tokens=400)
        await desk.ask()
        assert desk.question.tokens == 18  # as the provider counts them
        sent = fake.asked[0].body["max_completion_tokens"]
        assert sent < 400
        desk.question.tokens = 330
        failure = await desk.fails()
        assert failure.kind == "budget"
        assert "more than 400 tokens: 330 are spent" in failure.message
        assert len(fake.asked) == 1

    with_fakes(scenario)


def test_tokens_that_are_not_counted_are_estimated_for_the_budget_alone():
    async def scenario(fake):
        desk = Desk(
            [made("custom_openai", fake.url)],
            [Model("custom_openai", MODEL, input=1.0, output=1.0)],
        )
        message = {"role": "assistant", "content": "x" * 300}
        fake.always = said({"choices": [{"message": message, "finish_reason": "stop"}]})
        _, answer = await desk.ask(stream=False)
        assert (answer.usage.input, answer.cost_usd) == (None, None)
        assert desk.question.tokens > 100

    with_fakes(scenario)


def test_a_question_has_eight_rounds_of_tools_and_its_time():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)])
        for _ in range(MAX_ROUNDS):
            await desk.ask(WITH_TOOLS)
        failure = await desk.fails(WITH_TOOLS)
        assert (failure.kind, len(fake.asked)) == ("budget", 9)
        desk = Desk([made("openai", fake.url)])
        desk.time.now_s += 60
        failure = await desk.fails()
        assert failure.message == "openai: the question took 60 s"

    with_fakes(scenario)


PRICED = [Model("openai", MODEL, input=1000.0, output=1000.0)]


def test_the_money_of_a_day_is_not_spent_twice_by_two_questions_at_once():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)], PRICED)
        small = Request(ASKED.messages, max_tokens=20)
        day = desk.question.day = DayBudget(0.3, 0.2)
        results = await asyncio.gather(desk.ask(small), desk.fails(small))
        assert results[0][1].cost_usd == pytest.approx(0.018)
        assert "more than is left for today" in results[1].message
        assert day.spent_usd == pytest.approx(0.218)
        assert len(fake.asked) == 1

    with_fakes(scenario)


def test_a_spent_purse_leaves_what_costs_nothing():
    async def scenario(fake):
        providers = [made("openai", fake.url), made("lm_studio", fake.url)]
        desk = Desk(providers, PRICED)
        desk.question.day = DayBudget(1.0, 1.0)
        _, answer = await desk.ask()
        assert answer.provider == "lm-studio"
        assert "openai: it would take up to $" in answer.notes[0]

    with_fakes(scenario)


def test_what_a_broken_answer_cost_is_counted():
    async def scenario(fake):
        model = Model("anthropic", MODEL, input=2.0, output=10.0, cached=0.2, cache_written=2.5)
        desk = Desk([made("anthropic", fake.url)], [model])
        _, answer = await desk.ask()
        assert answer.cost_usd == pytest.approx((6 * 2 + 3 * 0.2 + 2 * 2.5 + 7 * 10) / 1e6)
        whole = anthropic_answer({"stream": True})
        fake.always = Reply(kind=whole.kind, chunks=whole.chunks[:8], cut=True)
        failure = await desk.fails()
        assert failure.kind == "interrupted"
        assert desk.attempts[-1].usage.input == 11
        assert desk.attempts[-1].cost_usd == pytest.approx((6 * 2 + 3 * 0.2 + 2 * 2.5 + 10) / 1e6)

    with_fakes(scenario)


def test_what_an_answer_cost_that_was_given_up_is_taken_for_the_most():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)], PRICED)
        day = desk.question.day = DayBudget(100.0)
        events = desk.router.ask(Request(ASKED.messages, max_tokens=20), desk.question)
        assert isinstance(await anext(events), Piece)
        reserved_usd = day.spent_usd
        await events.aclose()
        assert desk.attempts[0].cost_usd is None
        assert day.spent_usd == reserved_usd > 0
        fake.always = error("openai", 400, "")
        await desk.fails(Request(ASKED.messages, max_tokens=20))
        assert day.spent_usd == pytest.approx(reserved_usd)  # a refused request costs nothing

    with_fakes(scenario)


def test_a_consumer_that_goes_away_ends_the_request_and_it_is_stored():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)])
        events = desk.router.ask(ASKED, desk.question)
        assert isinstance(await anext(events), Piece)
        await events.aclose()
        assert desk.outcomes == ["cancelled"]
        fake.always = Reply(kind="text/event-stream", hangs=True)
        task = asyncio.create_task(desk.ask())
        while len(fake.asked) < 2:  # noqa: ASYNC110 - over a socket
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert desk.outcomes == ["cancelled"] * 2

    with_fakes(scenario)


# ---------------------------------------------------------------- Ollama


def test_ollama_is_given_a_context_that_fits_and_a_cut_prompt_is_said():
    async def scenario(fake):
        desk = Desk([made("ollama", fake.url, key="")])
        await desk.ask()
        assert fake.asked[-1].body["options"]["num_ctx"] == 4096
        long = Request((Message("user", "word " * 2000),))
        _, answer = await desk.ask(long)
        assert fake.asked[-1].body["options"]["num_ctx"] == 8192  # all that the model has
        assert answer.notes == ()
        line = {"message": {"content": "hi"}, "done": True, "prompt_eval_count": 900}
        fake.always = Reply(kind="application/x-ndjson", chunks=[json.dumps(line).encode()])
        _, answer = await desk.ask(long)
        (note,) = answer.notes
        assert note.startswith("the model read 900 tokens of at least 1")
        longer = Request((Message("user", "word " * 6000),))
        failure = await desk.fails(longer)
        assert "are more than fake-1 takes (8192)" in failure.message

    with_fakes(scenario)


def test_a_model_of_ollama_that_calls_no_tools_is_known():
    async def scenario(fake):
        def shown(seen):
            if seen.path == "/api/show":
                return said({"model_info": {}, "capabilities": ["completion"]})
            return said({"models": [{"model": MODEL}]})

        fake.always = shown
        desk = Desk([made("ollama", fake.url, key="")])
        failure = await desk.fails(WITH_TOOLS)
        assert "fake-1 calls no tools" in failure.message

    with_fakes(scenario)


def test_tools_have_the_strict_form_where_it_is_understood():
    async def scenario(fake):
        tool = Tool("t", "Do.", {"type": "object", "properties": {}})
        desk = Desk([made("openai", fake.url)])
        failure = await desk.fails(Request(ASKED.messages, tools=(tool,)))
        assert "additionalProperties must be false" in failure.message
        desk = Desk([made("lm_studio", fake.url)])
        await desk.ask(Request(ASKED.messages, tools=(SEARCH,)))
        assert "strict" not in fake.asked[-1].body["tools"][0]["function"]

    with_fakes(scenario)


def test_the_clock_of_a_question_stands_while_rules_answer():
    time = Time()
    question = Question(lambda: time.now_s, max_seconds=60.0)
    time.now_s += 10.0
    with question.paused():
        time.now_s += 300.0
    assert question.left_s == 50.0
    time.now_s += 50.0
    with pytest.raises(LlmError, match="the question took 60 s"):
        question.answer_tokens(10, 100)
