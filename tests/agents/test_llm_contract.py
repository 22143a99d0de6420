"""The contract of all adapters, over real sockets: answers, tools, errors, broken streams."""

from __future__ import annotations

import json

import pytest
from fake_llm import (
    ARGUMENTS,
    INPUT,
    KEY,
    MODEL,
    OUTPUT,
    TEXT,
    TOOL,
    Reply,
    answered,
    dialect_of,
    error,
    openai_answer,
    said,
)
from llm_cases import REAL, SCHEMA, WITH_SCHEMA, WITH_TOOLS, Desk, made, with_fakes

from sfa_engine.agents.llm.message import Message, Request
from sfa_engine.agents.llm.provider import ADAPTERS

SLOW = "it does not answer in time"
STREAM = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
EVERY = pytest.mark.parametrize("adapter", REAL)


def dialect(adapter):
    return ADAPTERS[adapter].dialect.name


@EVERY
@STREAM
def test_a_text_comes_in_pieces_and_whole_with_its_tokens(adapter, stream):
    async def scenario(fake):
        desk = Desk([made(adapter, fake.url)])
        pieces, answer = await desk.ask(stream=stream)
        assert "".join(pieces) == answer.text == TEXT
        assert (len(pieces) > 1) is stream
        assert (answer.stop, answer.calls) == ("end", ())
        assert (answer.provider, answer.model) == (adapter.replace("_", "-"), MODEL)
        assert answer.usage.output == OUTPUT
        if adapter != "ollama":
            assert answer.usage.input == INPUT
        assert desk.outcomes == ["ok"]
        (seen,) = fake.asked
        assert KEY not in seen.path

    with_fakes(scenario)


@EVERY
@STREAM
def test_a_tool_is_called_and_its_result_goes_back(adapter, stream):
    async def scenario(fake):
        desk = Desk([made(adapter, fake.url)])
        _, answer = await desk.ask(WITH_TOOLS, stream=stream)
        (call,) = answer.calls
        assert (answer.stop, call.name, call.arguments) == ("tools", TOOL, ARGUMENTS)
        assert call.id
        result = Message("tool", '{"tracks":[]}', call_id=call.id, tool=call.name)
        again = Request(
            (*WITH_TOOLS.messages, answer.message, result), WITH_TOOLS.system, WITH_TOOLS.tools
        )
        await desk.ask(again, stream=stream)
        follow = Request(
            (*again.messages, Message("user", "and another?")), again.system, again.tools
        )
        await desk.ask(follow, stream=stream)
        assert desk.outcomes == ["ok"] * 3  # the server refuses results without their calls

    with_fakes(scenario)


@EVERY
@STREAM
def test_an_answer_by_a_schema_is_shown_only_when_it_is_whole(adapter, stream):
    async def scenario(fake):
        desk = Desk([made(adapter, fake.url)])
        pieces, answer = await desk.ask(WITH_SCHEMA, stream=stream)
        assert pieces == []
        assert json.loads(answer.text) == {"text": TEXT}
        assert json.dumps(SCHEMA) in json.dumps(fake.asked[0].body)

    with_fakes(scenario)


@EVERY
def test_a_call_of_another_dialect_can_go_on_here(adapter):
    async def scenario(fake):
        desk = Desk([made(adapter, fake.url)])
        other = "openai" if dialect(adapter) != "openai" else "anthropic"
        first = Desk([made(other, fake.url)])
        _, answer = await first.ask(WITH_TOOLS)
        result = Message("tool", "no", call_id=answer.calls[0].id, tool=TOOL, is_error=True)
        await desk.ask(
            Request((*WITH_TOOLS.messages, answer.message, result), tools=WITH_TOOLS.tools)
        )
        assert desk.outcomes == ["ok"]

    with_fakes(scenario)


# ---------------------------------------------------------------- errors

# Status, word of the dialect, headers: the kind, and whether the same provider is asked again.
COMMON = [
    (408, "", {}, "busy", True),
    (409, "", {}, "busy", True),
    (422, "", {}, "bad_request", False),
    (500, "", {}, "busy", True),
    (502, "", {}, "busy", True),
    (503, "", {"retry_after": "2"}, "busy", True),
    (503, "", {"retry_after": "21"}, "busy", False),
    (500, "", {"x_should_retry": "false"}, "busy", False),
    (400, "", {"x_should_retry": "true"}, "bad_request", False),
    (302, "", {"location": "http://login.example/"}, "unreachable", False),
    (418, "", {}, "bad_request", False),
]
ERRORS = {
    "openai": [
        (400, "invalid_value", {}, "bad_request", False),
        (400, "context_length_exceeded", {}, "too_long", False),
        (401, "invalid_api_key", {}, "key_refused", False),
        (403, "unsupported_country_region_territory", {}, "key_refused", False),
        (404, "model_not_found", {}, "not_found", False),
        (413, "", {}, "too_long", False),
        (429, "rate_limit_exceeded", {"retry_after": "1"}, "rate_limit", True),
        (429, "rate_limit_exceeded", {"retry_after_ms": "1500"}, "rate_limit", True),
        (429, "rate_limit_exceeded", {"retry_after": "3600"}, "rate_limit", False),
        (429, "insufficient_quota", {}, "quota", False),
    ],
    "anthropic": [
        (400, "invalid_request_error", {}, "bad_request", False),
        (401, "authentication_error", {}, "key_refused", False),
        (402, "billing_error", {}, "quota", False),
        (403, "permission_error", {}, "key_refused", False),
        (404, "not_found_error", {}, "not_found", False),
        (413, "request_too_large", {}, "too_long", False),
        (429, "rate_limit_error", {"retry_after": "3"}, "rate_limit", True),
        (429, "enforced_spend_limit_reached", {}, "quota", False),
        (500, "api_error", {}, "busy", True),
        (504, "timeout_error", {}, "busy", True),
        (529, "overloaded_error", {}, "busy", True),
    ],
    "gemini": [
        (400, "INVALID_ARGUMENT", {}, "bad_request", False),
        (400, "API_KEY_INVALID", {}, "key_refused", False),
        (400, "FAILED_PRECONDITION", {}, "bad_request", False),
        (403, "PERMISSION_DENIED", {}, "key_refused", False),
        (404, "NOT_FOUND", {}, "not_found", False),
        (429, "RESOURCE_EXHAUSTED", {"delay": "2s"}, "rate_limit", True),
        (429, "RESOURCE_EXHAUSTED", {"delay": "46s"}, "rate_limit", False),
        (429, "RESOURCE_EXHAUSTED", {"delay": "9h54m"}, "rate_limit", False),
        (500, "INTERNAL", {}, "busy", True),
        (503, "UNAVAILABLE", {}, "busy", True),
        (504, "DEADLINE_EXCEEDED", {}, "busy", True),
    ],
    "ollama": [
        (400, "", {}, "bad_request", False),
        (401, "", {}, "key_refused", False),
        (404, "", {}, "not_found", False),
    ],
}
CASES = [
    pytest.param(adapter, *case, id=f"{adapter}-{case[0]}-{case[1] or '-'}-{place}")
    for adapter in REAL
    for place, case in enumerate([*COMMON, *ERRORS[dialect(adapter)]])
]


@pytest.mark.parametrize(("adapter", "status", "word", "headers", "kind", "again"), CASES)
def test_each_error_is_what_it_means(adapter, status, word, headers, kind, again):
    async def scenario(fake):
        name = dialect(adapter)
        fake.always = lambda _: error(name, status, word, f"no: {KEY}", **dict(headers))
        desk = Desk([made(adapter, fake.url, model="m")])
        failure = await desk.fails()
        assert (failure.kind, failure.status) == (kind, status)
        assert len(fake.asked) == (2 if again else 1)
        assert desk.outcomes == [kind] * (2 if again else 1)
        assert "***" in failure.message
        assert KEY not in str(failure)
        assert len(failure.message) < 600

    with_fakes(scenario)


# ---------------------------------------------------------------- broken and hostile answers


@EVERY
def test_an_error_after_the_beginning_of_a_stream_is_an_error(adapter):
    async def scenario(fake):
        name = dialect(adapter)
        value = {
            "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": KEY}},
            "gemini": {"error": {"code": 503, "message": KEY, "status": "UNAVAILABLE"}},
            "ollama": {"error": KEY},
            "openai": {"error": {"message": KEY, "type": "server_error", "code": 503}},
        }[name]
        line = json.dumps(value).encode()
        chunk = line + b"\n" if name == "ollama" else b"data: " + line + b"\n\n"
        kind = "application/x-ndjson" if name == "ollama" else "text/event-stream"
        desk = Desk([made(adapter, fake.url)])
        await desk.health.check(desk.router._providers[0])
        fake.always = Reply(kind=kind, chunks=[chunk])
        failure = await desk.fails()
        assert (failure.kind, len(fake.asked)) == ("busy", 2)
        assert KEY not in str(failure)
        fake.always = None
        whole = await usual(fake, desk)
        fake.always = Reply(kind=kind, chunks=[*begun(whole), chunk])
        failure = await desk.fails()
        assert failure.kind == "interrupted"
        assert KEY not in str(failure)

    with_fakes(scenario)


async def usual(fake, desk):
    """Return the usual answer of the server, as it would be sent."""
    _, _ = await desk.ask()
    seen = fake.asked[-1]
    return answered(seen, dialect_of(seen.path))


def begun(reply):
    """Return the chunks up to the first that has a text."""
    first = next(n for n, each in enumerate(reply.chunks, 1) if TEXT[:2].encode() in each)
    return reply.chunks[:first]


@EVERY
def test_a_stream_that_is_cut_anywhere_is_never_taken_for_whole(adapter):
    async def scenario(fake):
        desk = Desk([made(adapter, fake.url)], max_tokens=10**9)
        whole = b"".join((await usual(fake, desk)).chunks)
        kind = (await usual(fake, desk)).kind
        for at in range(0, len(whole), max(1, len(whole) // 12)):
            fake.always = Reply(kind=kind, chunks=[whole[:at]] if at else [], cut=True)
            desk.question.failures = desk.question.rounds = 0
            before = len(fake.asked)
            failure = await desk.fails()
            tries = len(fake.asked) - before
            assert (failure.kind, tries) in {("interrupted", 1), ("unreachable", 2)}, at

    with_fakes(scenario)


@EVERY
def test_a_stream_without_the_mark_of_its_end_is_whole_if_it_says_why_it_stopped(adapter):
    async def scenario(fake):
        desk = Desk([made(adapter, fake.url)])
        reply = await usual(fake, desk)
        if dialect(adapter) in {"openai", "anthropic"}:
            reply.chunks.pop()  # [DONE], message_stop
        fake.always = reply
        _, answer = await desk.ask()
        assert (answer.text, answer.usage.output) == (TEXT, OUTPUT)

    with_fakes(scenario)


GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b'"text"',
    b"\xff\xfe\x00",
    b"NaN",
    b"[" * 100_000,
    b'{"choices": 3, "content": 3, "candidates": 3, "message": 3}',
    b'{"choices": [{"delta": {"content": ["x"]}}], "message": {"content": 1}}',
    b'{"usage": {"prompt_tokens": "many"}, "usageMetadata": [], "prompt_eval_count": {}}',
    b'{"type": "content_block_delta", "index": -1, "delta": {"type": "text_delta", "text": 1}}',
]


@EVERY
@STREAM
def test_what_is_no_answer_is_an_error_and_not_a_fault(adapter, stream):
    async def scenario(fake):
        name = dialect(adapter)
        desk = Desk([made(adapter, fake.url)])
        await desk.health.check(desk.router._providers[0])
        for garbage in GARBAGE:
            kind = "application/json"
            chunk = garbage
            if stream:
                kind = "application/x-ndjson" if name == "ollama" else "text/event-stream"
                chunk = garbage + b"\n" if name == "ollama" else b"data: " + garbage + b"\n\n"
            fake.always = Reply(kind=kind, chunks=[chunk] if chunk else [])
            desk.question.failures = desk.question.rounds = 0
            failure = await desk.fails(stream=stream)
            assert failure.kind in {"bad_answer", "unreachable"}, garbage[:40]

    with_fakes(scenario)


@EVERY
@STREAM
def test_a_huge_answer_is_refused_before_it_is_in_memory(adapter, stream):
    async def scenario(fake):
        desk = Desk([made(adapter, fake.url)])
        await desk.health.check(desk.router._providers[0])
        block = b"x" * (1 << 16)
        kind = "text/event-stream" if stream else "application/json"
        fake.always = Reply(kind=kind, chunks=[b'data: {"a": "', *[block] * 160])
        failure = await desk.fails(stream=stream)
        assert failure.kind == "bad_answer"
        assert "too large" in failure.message

    with_fakes(scenario)


@pytest.mark.slow
def test_a_slow_answer_ends_with_the_time_of_the_question():
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)])
        reply = await usual(fake, desk)
        fake.always = Reply(kind=reply.kind, chunks=begun(reply), hangs=True)
        desk.question.max_seconds = 0.5
        failure = await desk.fails()
        assert failure.kind == "interrupted"
        assert failure.message == "openai failed after part of its answer: " + SLOW
        desk.question.failures = 0
        fake.always = Reply(kind="text/event-stream", hangs=True)
        failure = await desk.fails()
        assert (failure.kind, failure.message) == ("budget", f"openai: {SLOW}")
        assert desk.outcomes == ["ok", "budget", "budget"]

    with_fakes(scenario)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(kind="text/html", chunks=[b"<html>log in</html>"]), "a web page is at its address"),
        (Reply(headers={"content-encoding": "gzip"}, chunks=[b"\x1f\x8b"]), "packs its answer"),
        (Reply(refuses=True), "broke the connection"),
        (Reply(status=200, headers={"content-length": "9"}, cut=True), "broke"),
    ],
    ids=["page", "packed", "closed", "two-lengths"],
)
def test_what_comes_in_place_of_an_answer_is_named(reply, text):
    async def scenario(fake):
        desk = Desk([made("openai", fake.url)])
        fake.always = reply
        failure = await desk.fails()
        assert text in failure.message

    with_fakes(scenario)


def test_nothing_is_there():
    async def scenario(fake):
        provider = made("openai", fake.url)
        await fake.__aexit__()
        desk = Desk([provider])
        failure = await desk.fails()
        assert failure.kind == "unreachable"
        assert "cannot be reached" in failure.message
        assert desk.time.waits == [0.5]
        assert desk.health.of(provider).state == "unreachable"

    with_fakes(scenario)


def test_a_server_that_ignores_the_stream_is_understood():
    async def scenario(fake):
        desk = Desk([made("custom_openai", fake.url)])
        await usual(fake, desk)
        body = {**fake.asked[0].body, "stream": False}
        fake.always = openai_answer(body)
        pieces, answer = await desk.ask()
        assert pieces == [answer.text] == [TEXT]

    with_fakes(scenario)


def test_azure_has_two_addresses():
    async def scenario(fake):
        for version, path in (
            ("", "/openai/v1/chat/completions"),
            ("2024-10-21", f"/openai/deployments/{MODEL}/chat/completions?api-version=2024-10-21"),
        ):
            desk = Desk([made("azure_openai", fake.url, api_version=version)])
            await desk.ask()
            assert fake.asked[-1].path == path
            assert fake.asked[-1].headers["api-key"] == KEY
            assert "authorization" not in fake.asked[-1].headers

    with_fakes(scenario)


def test_a_call_whose_arguments_are_no_object_says_so():
    async def scenario(fake):
        function = {"name": "no_such_tool", "arguments": '{"bpm": '}
        call = {"id": "c", "type": "function", "function": function}
        other = {"id": "d", "type": "function", "function": {"name": "f", "arguments": "[1]"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call, other]}
        fake.always = said({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
        desk = Desk([made("openai", fake.url)])
        _, answer = await desk.ask(WITH_TOOLS, stream=False)
        first, second = answer.calls
        assert (first.name, first.arguments) == ("no_such_tool", {})
        assert first.problem.startswith("the arguments are not JSON")
        assert second.problem == "the arguments are not a JSON object"
        assert answer.usage.input is None
        assert answer.cost_usd is None

    with_fakes(scenario)
