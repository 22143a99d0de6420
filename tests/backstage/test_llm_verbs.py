"""``llm.*``: each account its own providers; addresses are for admins, keys are not shown."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import msgspec
import pytest
from fake_llm import KEY, MODEL, FakeLlm, error
from house import prep_context

from sfa_engine.agents.llm.message import Answer, Message, Request
from sfa_engine.backstage.verbs.llm import LlmVerbs
from sfa_engine.errors import Absent, Forbidden, Refused
from sfa_engine.wire.rights import Actor
from sfa_engine.wire.verbs import SCOPES, verbs_of

GROWN_BYTES = 2 << 20  # 0.7 MB measured
ANN, BOB = (Actor(number, "user", SCOPES) for number in (3, 4))


def played(folder, play, monkeypatch=None, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def run():
        async with FakeLlm() as fake, prep_context(folder) as context:
            verbs = LlmVerbs(context)
            try:
                await play(verbs, fake)
            finally:
                await verbs.close()

    asyncio.run(run())


def test_a_provider_from_its_beginning_to_its_end(tmp_path):
    async def play(verbs, fake):
        said = await verbs.llm_add("rig", "custom_openai", f"{fake.url}/v1/", MODEL, KEY, actor=ANN)
        assert said == {
            "name": "rig",
            "adapter": "custom_openai",
            "url": f"{fake.url}/v1",
            "model": MODEL,
            "is_system": False,
            "has_key": True,
            "state": "unknown",
            "until_s": None,
            "checked_s": None,
            "why": "",
        }
        said = await verbs.llm_test("rig", actor=ANN)
        assert (said["state"], len(fake.seen)) == ("ready", 1)
        (model,) = (await verbs.llm_models("rig", actor=ANN))["models"]
        assert (model["name"], model["listed"], model["input_usd"]) == (MODEL, True, None)
        assert (await verbs.llm_providers(actor=BOB))["providers"] == []
        with pytest.raises(Absent, match='no provider "rig"'):
            await verbs.llm_test("rig", actor=BOB)
        assert (await verbs.llm_usage(actor=ANN))["usage"] == []
        router = await verbs.models.router(ANN.account)
        question = await verbs.models.question(ANN.account)
        request = Request((Message("user", "hi"),))
        events = [event async for event in router.ask(request, question)]
        assert isinstance(events[-1], Answer)
        (row,) = (await verbs.llm_usage(actor=ANN))["usage"]
        assert (row["provider"], row["model"], row["attempts"]) == ("rig", MODEL, 1)
        assert (row["input_tokens"], row["cost_usd"], row["unpriced"]) == (11, None, 1)
        assert (await verbs.llm_usage(actor=BOB))["usage"] == []
        fake.always = error("openai", 401, "invalid_api_key", f"no {KEY}")
        said = await verbs.llm_test("rig", actor=ANN)
        assert said["state"] == "key refused"
        assert KEY not in json.dumps(said)
        assert await verbs.llm_remove("rig", actor=ANN) == {"removed": "rig"}
        assert (await verbs.llm_providers(actor=ANN))["providers"] == []

    played(tmp_path, play)


def test_a_provider_is_moved_in_the_order_of_its_account(tmp_path):
    async def play(verbs, fake):
        async def names(actor):
            return [each["name"] for each in (await verbs.llm_providers(actor=actor))["providers"]]

        for name in ("a", "b", "c"):
            await verbs.llm_add(name, "custom_openai", fake.url, MODEL, KEY, actor=ANN)
        await verbs.llm_add("b", "ollama", actor=BOB)
        said = await verbs.llm_move("c", 1, actor=ANN)
        assert (said["name"], said["has_key"], said["model"]) == ("c", True, MODEL)
        assert await names(ANN) == ["c", "a", "b"]
        await verbs.llm_move("c", 32, actor=ANN)
        assert await names(ANN) == ["a", "b", "c"]
        assert await names(BOB) == ["b"]
        with pytest.raises(Absent, match='no provider "rig"'):
            await verbs.llm_move("rig", 1, actor=ANN)

    played(tmp_path, play)


def test_providers_of_the_environment_are_shown_without_their_address(tmp_path, monkeypatch):
    async def play(verbs, _fake):
        admin = Actor(5, "admin", SCOPES)
        (user,) = (await verbs.llm_providers(actor=ANN))["providers"]
        (shown,) = (await verbs.llm_providers(actor=admin))["providers"]
        assert (user["name"], user["is_system"], user["url"]) == ("system-litellm", True, "")
        assert shown["url"] == "http://inside:4000"
        with pytest.raises(Absent):
            await verbs.llm_remove("system-litellm", actor=ANN)

    played(tmp_path, play, monkeypatch, LITELLM_BASE_URL="http://inside:4000")


def check(scopes, method, **params):
    """Refuse what a connection with some scopes may not ask."""
    verb = verbs_of(LlmVerbs)[method]
    given = verb.parse(msgspec.Raw(msgspec.msgpack.encode(params)))
    verb.check_scopes(frozenset(scopes), given)


def test_an_address_needs_an_admin_and_names_are_words(tmp_path):
    async def play(verbs, _fake):
        with pytest.raises(Refused, match='no adapter "gpt"'):
            await verbs.llm_add("a", "gpt", key=KEY, actor=ANN)

    scopes = {"read", "prepare"}
    check(scopes, "llm.add", name="a", adapter="anthropic", key=KEY)
    with pytest.raises(Forbidden, match=r"url of llm\.add needs the scope"):
        check(scopes, "llm.add", name="a", adapter="openai", url="http://10.0.0.1/")
    with pytest.raises(Forbidden):
        check({"read"}, "llm.test", name="a")
    for name in ("", "A", "a b", "../a", "system-openai", "x" * 33, "a\n"):
        with pytest.raises(Refused, match="name is "):
            check(scopes, "llm.add", name=name, adapter="anthropic")
    played(tmp_path, play)


def test_known_models_have_prices_and_listed_ones_none(tmp_path):
    async def play(verbs, fake):
        await verbs.llm_add("claude", "anthropic", fake.url, key=KEY, actor=ANN)
        found = {
            each["name"]: each for each in (await verbs.llm_models("claude", actor=ANN))["models"]
        }
        known, listed = found["claude-sonnet-5"], found[MODEL]
        assert (known["input_usd"], known["output_usd"], known["listed"]) == (2.0, 10.0, False)
        assert (listed["input_usd"], listed["quality"], listed["listed"]) == (None, None, True)

    played(tmp_path, play)


IDLE = """
import gc, json, sys
import sfa_engine.backstage.core
from sfa_engine.backstage.verbs.llm import LlmVerbs
early = [name for name in sys.modules if name.startswith("sfa_engine.agents.llm")]
def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before = resident()
from sfa_engine.agents.llm.registry import Registry
from sfa_engine.agents.llm.service import LanguageModels
Registry.load()
sdks = {"openai", "anthropic", "google.genai", "ollama", "litellm"} & set(sys.modules)
print(json.dumps([early, sorted(sdks), resident() - before]))
"""


@pytest.mark.slow
def test_backstage_imports_none_of_it_before_a_verb_is_called_and_little_then():
    command = [sys.executable, "-c", IDLE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    early, sdks, grown_bytes = json.loads(done.stdout)
    assert (early, sdks) == ([], [])
    assert grown_bytes < GROWN_BYTES
