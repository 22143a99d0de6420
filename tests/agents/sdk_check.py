"""Runs the vendors' own SDKs against `fake_llm`: the proof that the fake speaks as they do.

Not a test of the suite: each SDK needs an environment of its own, outside of this project::

    for sdk in openai anthropic google-genai ollama; do
        python3 -m venv /tmp/sdk-$sdk && /tmp/sdk-$sdk/bin/pip install -q $sdk
        /tmp/sdk-$sdk/bin/python tests/agents/sdk_check.py
    done

It tries every SDK that can be imported; streamed and not, with a tool call whose result goes back,
an answer by a schema, a list of models, and an error that is retried. It needs nothing of
`sfa_engine`, and prints a line for each, with the headers that carry key and version.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fake_llm import ARGUMENTS, INPUT, KEY, MODEL, OUTPUT, TEXT, TOOL, FakeLlm, error, served

PARAMETERS = {
    "type": "object",
    "properties": {"words": {"type": "string"}, "bpm": {"type": "number"}},
    "required": ["words", "bpm"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "anthropic-version")


def same(found: Any, wanted: Any) -> None:
    assert found == wanted, f"{found!r} is not {wanted!r}"


def check_openai(fake: FakeLlm) -> None:
    import openai

    client = openai.OpenAI(api_key=KEY, base_url=f"{fake.url}/v1")
    function = {"name": TOOL, "description": "d", "parameters": PARAMETERS, "strict": True}
    tools: Any = [{"type": "function", "function": function}]
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    asked: dict[str, Any] = {"model": MODEL, "tools": tools, "max_completion_tokens": 99}
    whole = client.chat.completions.create(messages=messages, **asked)
    message = whole.choices[0].message
    same((message.content, whole.choices[0].finish_reason), (TEXT, "tool_calls"))
    (call,) = message.tool_calls
    same((call.function.name, json.loads(call.function.arguments)), (TOOL, ARGUMENTS))
    same((whole.usage.prompt_tokens, whole.usage.completion_tokens), (INPUT, OUTPUT))
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "{}"}]
    client.chat.completions.create(messages=messages, **asked)
    with client.chat.completions.stream(
        messages=messages[:1], stream_options={"include_usage": True}, **asked
    ) as stream:
        final = stream.get_final_completion()
    same(final.choices[0].message.content, TEXT)
    same(json.loads(final.choices[0].message.tool_calls[0].function.arguments), ARGUMENTS)
    same(final.usage.completion_tokens, OUTPUT)
    json_schema = {"name": "answer", "schema": SCHEMA, "strict": True}
    structured = client.chat.completions.create(
        model=MODEL,
        messages=messages[:1],
        response_format={"type": "json_schema", "json_schema": json_schema},
    )
    same(json.loads(structured.choices[0].message.content), {"text": TEXT})
    same([each.id for each in client.models.list()], [MODEL])
    fake.replies = [error("openai", 429, "rate_limit_exceeded", retry_after="0.01")]
    client.chat.completions.create(messages=messages[:1], **asked)
    fake.always = error("openai", 400, "invalid_value")
    expect(openai.BadRequestError, client.models.list)
    azure = openai.AzureOpenAI(
        api_key=KEY, azure_endpoint=fake.url, api_version="2024-10-21", max_retries=0
    )
    fake.always = None
    azure.chat.completions.create(messages=messages[:1], **asked)
    same(f"/deployments/{MODEL}/" in fake.seen[-1].path, True)


def check_anthropic(fake: FakeLlm) -> None:
    import anthropic

    client = anthropic.Anthropic(api_key=KEY, base_url=fake.url)
    tool: Any = {"name": TOOL, "description": "d", "input_schema": PARAMETERS}
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 99, "tools": [tool]}
    whole = client.messages.create(messages=messages, **asked)
    same([each.type for each in whole.content], ["thinking", "text", "tool_use"])
    same((whole.content[1].text, whole.content[2].input), (TEXT, ARGUMENTS))
    same((whole.stop_reason, whole.usage.output_tokens), ("tool_use", OUTPUT))
    result = {"type": "tool_result", "tool_use_id": whole.content[2].id, "content": "{}"}
    messages += [
        {"role": "assistant", "content": whole.content},
        {"role": "user", "content": [result]},
    ]
    client.messages.create(messages=messages, **asked)
    with client.messages.stream(messages=messages[:1], **asked) as stream:
        same("".join(stream.text_stream), TEXT)
        final = stream.get_final_message()
    same((final.content[2].input, final.usage.output_tokens), (ARGUMENTS, OUTPUT))
    output: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}
    structured = client.messages.create(
        model=MODEL, max_tokens=99, messages=messages[:1], output_config=output
    )
    same(json.loads(structured.content[1].text), {"text": TEXT})
    same([each.id for each in client.models.list()], [MODEL])
    fake.replies = [error("anthropic", 529, "overloaded_error", retry_after="0.01")]
    client.messages.create(messages=messages[:1], **asked)
    fake.always = error("anthropic", 401, "authentication_error")
    expect(anthropic.AuthenticationError, client.models.list)


def check_google(fake: FakeLlm) -> None:
    from google import genai
    from google.genai import errors, types

    options = types.HttpOptions(base_url=fake.url)
    client = genai.Client(api_key=KEY, http_options=options)
    declared = types.FunctionDeclaration(
        name=TOOL, description="d", parameters_json_schema=PARAMETERS
    )
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])], max_output_tokens=99
    )
    user = types.Content(role="user", parts=[types.Part(text="hi")])
    whole = client.models.generate_content(model=MODEL, contents=[user], config=config)
    (call,) = whole.function_calls
    same((call.name, call.args), (TOOL, ARGUMENTS))
    same("".join(p.text for p in whole.parts if p.text and not p.thought), TEXT)
    same(whole.usage_metadata.thoughts_token_count, 2)
    response = types.FunctionResponse(id=call.id, name=call.name, response={"output": "{}"})
    answer = types.Content(role="user", parts=[types.Part(function_response=response)])
    turns = [user, whole.candidates[0].content, answer]
    client.models.generate_content(model=MODEL, contents=turns, config=config)
    chunks = list(
        client.models.generate_content_stream(model=MODEL, contents=[user], config=config)
    )
    texts = [p.text for each in chunks for p in each.parts if p.text and not p.thought]
    same("".join(texts), TEXT)
    same(chunks[-1].function_calls[0].args, ARGUMENTS)
    structured = client.models.generate_content(
        model=MODEL,
        contents="hi",
        config=types.GenerateContentConfig(
            response_mime_type="application/json", response_json_schema=SCHEMA
        ),
    )
    found = [p.text for p in structured.parts if p.text and not p.thought]
    same(json.loads("".join(found)), {"text": TEXT})
    same([each.name for each in client.models.list()], [f"models/{MODEL}", "models/embed"])
    fake.always = error("gemini", 429, "RESOURCE_EXHAUSTED", delay="46s")
    expect(
        errors.ClientError,
        lambda: client.models.generate_content(model=MODEL, contents="hi"),
    )


def check_ollama(fake: FakeLlm) -> None:
    import ollama

    client = ollama.Client(host=fake.url)
    tool = {
        "type": "function",
        "function": {"name": TOOL, "description": "d", "parameters": PARAMETERS},
    }
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    whole = client.chat(model=MODEL, messages=messages, tools=[tool], options={"num_ctx": 4096})
    same((whole.message.content, whole.done_reason), (TEXT, "stop"))
    (call,) = whole.message.tool_calls
    same((call.function.name, dict(call.function.arguments)), (TOOL, ARGUMENTS))
    messages += [whole.message, {"role": "tool", "tool_name": TOOL, "content": "{}"}]
    client.chat(model=MODEL, messages=messages, tools=[tool])
    lines = list(client.chat(model=MODEL, messages=messages[:1], tools=[tool], stream=True))
    same("".join(each.message.content or "" for each in lines), TEXT)
    same((lines[-1].done, lines[-1].eval_count), (True, OUTPUT))
    structured = client.chat(model=MODEL, messages=messages[:1], format=SCHEMA)
    same(json.loads(structured.message.content), {"text": TEXT})
    same([each.model for each in client.list().models], [MODEL])
    same(client.show(MODEL).capabilities, ["completion", "tools"])
    fake.always = error("ollama", 404, text="model 'x' not found")
    expect(ollama.ResponseError, lambda: client.chat(model="x", messages=messages[:1]))


def expect(kind: type[Exception], call: Callable[[], Any]) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


CHECKS: dict[str, tuple[str, Callable[[FakeLlm], None]]] = {
    "openai": ("openai", check_openai),
    "anthropic": ("anthropic", check_anthropic),
    "google-genai": ("google.genai", check_google),
    "ollama": ("ollama", check_ollama),
}


def main() -> int:
    """Run the checks whose SDK is here; return 1 if one failed, 2 if none was run."""
    status = 2
    for name, (module, check) in CHECKS.items():
        try:
            if importlib.util.find_spec(module) is None:
                continue
        except ModuleNotFoundError:
            continue
        version = importlib.metadata.version(name)
        with served() as fake:
            try:
                check(fake)
            except Exception as problem:  # noqa: BLE001 - SDKs raise what they like
                print(f"{name} {version}: FAILED: {type(problem).__name__}: {problem}")
                print(f"  last request: {fake.seen[-1].path if fake.seen else 'none'}")
                return 1
            sent = {
                header: each.headers[header].replace(KEY, "<key>")
                for each in fake.seen
                for header in HEADERS
                if header in each.headers
            }
            print(f"{name} {version}: {len(fake.seen)} requests, all as documented; {sent}")
            status = 0
    return status


if __name__ == "__main__":
    sys.exit(main())
