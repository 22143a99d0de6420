"""Dialects without a network: streams cut at every byte, unknown events, limits, waits."""

from __future__ import annotations

import json

import pytest
from fake_llm import (
    ARGUMENTS,
    OUTPUT,
    SIGNATURE,
    TEXT,
    anthropic_answer,
    gemini_answer,
    ollama_answer,
    openai_answer,
)
from hypothesis import given
from hypothesis import strategies as st
from llm_cases import ASKED, SEARCH

from sfa_engine.agents.llm.anthropic import Anthropic
from sfa_engine.agents.llm.dialect import MAX_BYTES, MAX_CALLS, Quirks, duration_s
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.framing import MAX_RECORD, Events, Records
from sfa_engine.agents.llm.gemini import Gemini
from sfa_engine.agents.llm.message import Message, Request
from sfa_engine.agents.llm.ollama import Ollama
from sfa_engine.agents.llm.openai_chat import OpenAiChat

DIALECTS = {
    "openai": OpenAiChat(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "ollama": Ollama(),
}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}, "tools": [1]}
STREAMS = {
    "openai": b"".join(openai_answer(STREAMED).chunks),
    "anthropic": b"".join(anthropic_answer(STREAMED).chunks),
    "gemini": b"".join(gemini_answer(STREAMED, stream=True).chunks),
    "ollama": b"".join(ollama_answer(STREAMED).chunks),
}
EVERY = pytest.mark.parametrize("name", DIALECTS)


def read(name, *parts):
    """Return the answer of a stream that comes in parts."""
    reader = DIALECTS[name].reader()
    texts = [text for part in parts for text in reader.feed(part)]
    texts += reader.end()
    answer = reader.answer()
    assert "".join(texts) == answer.text
    return answer


@EVERY
def test_a_stream_in_two_parts_cut_at_every_byte_is_the_same(name):
    stream = STREAMS[name]
    whole = read(name, stream)
    assert (whole.text, whole.usage.output) == (TEXT, OUTPUT)
    assert whole.calls[0].arguments == ARGUMENTS
    for at in range(len(stream)):
        assert read(name, stream[:at], stream[at:]) == whole, at
    assert read(name, *(stream[at : at + 1] for at in range(len(stream)))) == whole


def outcome(name, *parts):
    """Return the kind of the failure or None, and the answer or None."""
    try:
        return None, read(name, *parts)
    except LlmError as error:
        return error.kind, None


@EVERY
def test_a_stream_that_ends_at_any_byte_is_whole_or_an_error(name):
    stream, whole = STREAMS[name], read(name, STREAMS[name])
    complete = 0
    for at in range(len(stream)):
        kind, answer = outcome(name, stream[:at])
        if answer is None:
            assert kind in {"unreachable", "bad_answer"}, at
            continue
        complete += 1
        # At most the counts that come after the end of the text are missing.
        assert (answer.text, answer.calls, answer.stop) == (whole.text, whole.calls, whole.stop), at
    assert complete < len(stream) / 2


@EVERY
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_every_end_of_line_is_one(name, end):
    stream = STREAMS[name].replace(b"\r\n", b"\n").replace(b"\n", end)
    assert read(name, *(stream[at : at + 1] for at in range(len(stream)))).text == TEXT


def test_comments_names_and_unknown_events_are_skipped():
    begin = b': hello\n\nevent: new\ndata: {"type": "new_event", "delta": {"type": "new"}}\n\n'
    block = {"type": "new_block", "data": [1]}
    start = {"type": "content_block_start", "index": 9, "content_block": block}
    delta = {"type": "content_block_delta", "index": 9, "delta": {"type": "new_delta", "x": 1}}
    unknown = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (start, delta))
    answer = read("anthropic", begin, unknown, STREAMS["anthropic"])
    assert answer.text == TEXT


def test_data_of_several_lines_is_one_event():
    events = Events()
    assert events.feed(b'retry: 1\nid: 4\ndata: {"a":\ndata:  1}\n\n') == [b'{"a":\n 1}']
    assert events.end() == []
    assert Records().feed(b"\n\n  \n") == []


def test_what_follows_the_mark_of_the_end_is_not_read():
    assert read("openai", STREAMS["openai"], b"data: {nonsense\n\n").text == TEXT
    assert read("anthropic", STREAMS["anthropic"], b"data: {nonsense\n\n").text == TEXT
    assert read("ollama", STREAMS["ollama"], b"nonsense\n").text == TEXT


@EVERY
def test_lines_answers_and_calls_have_limits(name):
    reader = DIALECTS[name].reader()
    with pytest.raises(LlmError, match="too large"):
        reader.feed(b"data: " + b"x" * MAX_RECORD)
    reader = DIALECTS[name].reader()
    piece = b"\n" * 4096 if name == "ollama" else b": " + b"x" * 4093 + b"\n"
    for _ in range(MAX_BYTES // 4096):
        reader.feed(piece)
    with pytest.raises(LlmError, match="too large"):
        reader.feed(piece)


def test_an_answer_calls_a_limited_number_of_tools():
    reader = DIALECTS["openai"].reader()
    calls = [{"index": n, "id": str(n), "function": {"name": "f"}} for n in range(MAX_CALLS + 1)]
    chunk = {"choices": [{"delta": {"tool_calls": calls}}]}
    with pytest.raises(LlmError, match=f"more than {MAX_CALLS} tools"):
        reader.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")


@given(st.binary(max_size=400))
def test_any_bytes_are_an_answer_or_an_error(data):
    for name, dialect in DIALECTS.items():
        for whole in (False, True):
            try:
                dialect.read(data) if whole else read(name, data)
            except LlmError:
                continue


WORDS = (
    *("choices", "delta", "message", "content", "tool_calls", "function", "index", "candidates"),
    *("parts", "functionCall", "args", "usage", "type", "error", "content_block", "done"),
    *("usageMetadata", "finishReason", "stop_reason"),
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANY_JSON)
def test_any_json_is_an_answer_or_an_error(value):
    for dialect in DIALECTS.values():
        body = json.dumps(value).encode()
        for record in (body, b"data: " + body + b"\n\n"):
            try:
                dialect.read(body)
                dialect.reader().feed(record)
            except LlmError:
                pass
        assert dialect.failure(429, {}, body, 0.0).kind in {"rate_limit", "quota", "key_refused"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("46s", 46.0), ("1.5s", 1.5), ("9h54m", 35_640.0), ("2m", 120.0), ("0s", 0.0),
        ("1h1m1s", 3661.0), ("", None), ("soon", None), ("5", None), ("-1s", None),
    ],
)  # fmt: skip
def test_a_duration_of_googles_is_seconds(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_every_form_of_retry_after_is_read(headers, seconds):
    for dialect in DIALECTS.values():
        assert dialect.failure(429, headers, b"{}", 60.0).retry_after_s == seconds


def test_thoughts_and_signatures_go_back_as_they_came():
    answer = read("anthropic", STREAMS["anthropic"])
    request = Request((*ASKED.messages, answer.message))
    sent = DIALECTS["anthropic"].body(request, "m", Quirks(), stream=False)["messages"][1]
    assert [each["type"] for each in sent["content"]] == ["thinking", "text", "tool_use"]
    assert sent["content"][0]["signature"] == SIGNATURE
    assert sent["content"][2]["input"] == ARGUMENTS
    answer = read("gemini", STREAMS["gemini"])
    request = Request((*ASKED.messages, answer.message))
    sent = DIALECTS["gemini"].body(request, "m", Quirks(), stream=False)["contents"][1]
    assert sent["role"] == "model"
    assert sent["parts"][-1]["thoughtSignature"] == SIGNATURE
    assert "hm" not in answer.text


def test_results_of_one_round_are_one_message_with_nothing_after_them():
    results = [Message("tool", str(n), call_id=f"c{n}", tool="t") for n in range(2)]
    messages = (*results, Message("user", "go on"), results[0])
    sent = DIALECTS["anthropic"].body(Request(messages), "m", Quirks(), stream=False)["messages"]
    assert [len(each["content"]) for each in sent] == [2, len("go on"), 1]
    sent = DIALECTS["gemini"].body(Request(messages), "m", Quirks(), stream=False)["contents"]
    assert [len(each["parts"]) for each in sent] == [2, 1, 1]


def test_what_newer_models_refuse_is_never_sent():
    request = Request(ASKED.messages, ASKED.system, (SEARCH,), schema=SEARCH.parameters)
    for dialect in DIALECTS.values():
        body = json.dumps(dialect.body(request, "m", Quirks(num_ctx=4096), stream=True))
        for word in ("temperature", "top_p", "top_k", "tool_choice", "thinking"):
            assert word not in body


def test_each_provider_has_its_own_limit_of_tokens():
    body = DIALECTS["openai"].body(ASKED, "m", Quirks("max_completion_tokens"), stream=False)
    assert body["max_completion_tokens"] == ASKED.max_tokens
    assert "max_tokens" not in body
    body = DIALECTS["ollama"].body(ASKED, "m", Quirks(num_ctx=8192), stream=False)
    assert body["options"] == {"num_predict": ASKED.max_tokens, "num_ctx": 8192}
    assert body["stream"] is False


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("SAFETY", "refused"), ("MAX_TOKENS", "length"), ("MALFORMED_FUNCTION_CALL", None),
     ("MISSING_THOUGHT_SIGNATURE", None), ("SOMETHING_NEW", None)],
)  # fmt: skip
def test_geminis_reasons_are_stops_or_errors(reason, stop):
    body = json.dumps({"candidates": [{"finishReason": reason}]}).encode()
    if stop is None:
        with pytest.raises(LlmError, match=reason):
            DIALECTS["gemini"].read(body)
    else:
        assert DIALECTS["gemini"].read(body).stop == stop


def test_a_blocked_prompt_is_a_refusal():
    assert (
        DIALECTS["gemini"].read(b'{"promptFeedback": {"blockReason": "OTHER"}}').stop == "refused"
    )
    message = {"role": "assistant", "content": None, "refusal": "I cannot."}
    body = {"choices": [{"message": message, "finish_reason": "stop"}]}
    answer = DIALECTS["openai"].read(json.dumps(body).encode())
    assert (answer.text, answer.stop) == ("I cannot.", "refused")


def test_tokens_are_those_that_are_billed():
    usage = DIALECTS["anthropic"].read(anthropic_answer({}).chunks[0]).usage
    assert (usage.input, usage.cached, usage.cache_written) == (11, 3, 2)
    usage = DIALECTS["gemini"].read(gemini_answer({}, stream=False).chunks[0]).usage
    assert usage.output == OUTPUT  # with what it thought
    body = {
        "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}},
    }
    usage = DIALECTS["openai"].read(json.dumps(body).encode()).usage
    assert (usage.input, usage.output, usage.cached) == (9, None, 4)


def test_calls_without_an_index_are_apart():
    calls = [{"id": str(n), "function": {"name": f"f{n}", "arguments": "{}"}} for n in range(2)]
    deltas = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    deltas.append({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    stream = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in deltas)
    assert [each.name for each in read("openai", stream).calls] == ["f0", "f1"]
