"""Providers and usage of accounts in the library; keys are found nowhere but in the store."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
from pathlib import Path

import pytest
from fake_llm import KEY, MODEL, FakeLlm, Reply, error
from llm_cases import ASKED, Time

from sfa_engine.agents.llm import store
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.message import Answer
from sfa_engine.agents.llm.service import MAX_PROVIDERS, LanguageModels
from sfa_engine.agents.llm.store import StoredProvider
from sfa_engine.agents.settings import AgentsConfig
from sfa_engine.errors import Absent, Refused
from sfa_engine.library.database import Database
from sfa_engine.library.secret import Secrets

pytestmark = pytest.mark.slow  # a library for each test
ANN, BOB = 7, 8


def with_models(tmp_path, scenario, environment=None, **config):
    async def run():
        async with (
            FakeLlm() as fake,
            await Database.open(tmp_path / "data" / "library.db", busy_s=0.2) as database,
        ):
            models = LanguageModels(
                database,
                Secrets(tmp_path / "data"),
                environment or {},
                AgentsConfig(**config),
                clock=Time().clock,
            )
            try:
                await scenario(models, fake, database)
            finally:
                await models.close()

    asyncio.run(run())


def stored(fake, name="mine", adapter="custom_openai", **more):
    return StoredProvider(name, adapter, f"{fake.url}/v1", **{"model": MODEL, **more})


async def ask(models, account, request=ASKED, **more):
    router, question = await models.router(account), await models.question(account)
    return [event async for event in router.ask(request, question, **more)][-1]


async def names(models, account):
    return [each.stored.name for each in await models.listed(account)]


def test_each_account_has_its_own_providers_in_its_own_order(tmp_path):
    async def scenario(models, fake, _database):
        for name in ("a", "b", "c"):
            await models.add(ANN, stored(fake, name), KEY)
        await models.add(BOB, stored(fake, "b"), "sk-of-bob")
        assert await names(models, ANN) == ["a", "b", "c", "system-openai"]
        await models.add(ANN, stored(fake, "c"), None, 1)
        await models.add(ANN, stored(fake, "a", model="other"), None)
        assert await names(models, ANN) == ["c", "a", "b", "system-openai"]
        assert await names(models, BOB) == ["b", "system-openai"]
        assert await names(models, 0) == ["system-openai"]
        found = {each.stored.name: each.provider for each in await models.listed(ANN)}
        assert (found["a"].model, found["a"].key, found["b"].key) == ("other", KEY, KEY)
        await models.remove(ANN, "b")
        with pytest.raises(Absent, match='no provider "b"'):
            await models.remove(ANN, "b")
        (own, _) = await models.listed(BOB)
        assert own.provider.key == "sk-of-bob"
        assert Secrets(tmp_path / "data").names() == [
            *(f"llm.a.account-{ANN}", f"llm.b.account-{BOB}", f"llm.c.account-{ANN}"),
        ]

    with_models(tmp_path, scenario, {"OPENAI_API_KEY": "sk-env"})


def test_a_key_is_kept_only_for_the_same_address(tmp_path):
    async def scenario(models, fake, _database):
        await models.add(ANN, stored(fake), KEY)
        await models.add(ANN, stored(fake, model="x"), None)
        (found,) = await models.listed(ANN)
        assert found.provider.key == KEY
        elsewhere = StoredProvider("mine", "custom_openai", "http://elsewhere.example/v1")
        await models.add(ANN, elsewhere, None)
        (found,) = await models.listed(ANN)
        assert found.provider.key == ""
        with pytest.raises(Refused, match="anthropic needs a key"):
            await models.add(ANN, StoredProvider("mine", "anthropic"), None)
        with pytest.raises(Refused, match="spaces"):
            await models.add(ANN, StoredProvider("mine", "anthropic"), "a b")
        (found,) = await models.listed(ANN)
        assert found.stored == elsewhere  # nothing was changed by what was refused

    with_models(tmp_path, scenario)


def test_a_provider_whose_key_is_lost_says_so_and_others_answer(tmp_path):
    async def scenario(models, fake, _database):
        await models.add(ANN, StoredProvider("lost", "anthropic", fake.url), KEY)
        await models.add(ANN, stored(fake), KEY)
        Secrets(tmp_path / "data").remove(f"llm.lost.account-{ANN}")
        lost, _ = await models.listed(ANN)
        assert (lost.provider, lost.problem) == (None, "anthropic needs a key")
        assert (await ask(models, ANN)).provider == "mine"

    with_models(tmp_path, scenario)


def test_there_are_only_so_many_providers(tmp_path):
    async def scenario(models, fake, _database):
        for number in range(MAX_PROVIDERS):
            await models.add(ANN, stored(fake, f"p{number}"), None)
        with pytest.raises(Refused, match=f"there are {MAX_PROVIDERS} providers"):
            await models.add(ANN, stored(fake, "more"), None)
        await models.add(ANN, stored(fake, "p3"), None)

    with_models(tmp_path, scenario)


def test_what_was_asked_is_stored_by_account_with_what_is_unknown(tmp_path):
    async def scenario(models, fake, database):
        await models.add(ANN, stored(fake), KEY)
        anthropic = StoredProvider("claude", "anthropic", fake.url, "claude-sonnet-5")
        await models.add(ANN, anthropic, KEY)
        await ask(models, ANN, provider="mine")
        answer = await ask(models, ANN, provider="claude")
        assert answer.cost_usd == pytest.approx(87.6e-6)
        fake.always = error("anthropic", 400, "invalid_request_error")
        with pytest.raises(LlmError):
            await ask(models, ANN, provider="claude")
        async with database.reading() as connection:
            today = models._clock.today
            rows = {each["provider"]: each for each in await store.usage(connection, ANN, 1, today)}
            assert await store.usage(connection, BOB, 9, today) == []
            assert await store.spent_usd(connection, ANN, today) == pytest.approx(87.6e-6)
        mine, claude = rows["mine"], rows["claude"]
        assert (mine["attempts"], mine["failed"], mine["unpriced"]) == (2, 1, 1)
        assert (mine["input_tokens"], mine["output_tokens"], mine["cost_usd"]) == (11, 7, None)
        assert (claude["attempts"], claude["failed"], claude["unpriced"]) == (2, 1, 0)
        assert claude["cost_usd"] == pytest.approx(87.6e-6)

    with_models(tmp_path, scenario)


def test_the_money_of_a_day_is_that_of_the_account(tmp_path):
    async def scenario(models, fake, database):
        claude = StoredProvider("claude", "anthropic", fake.url, "claude-sonnet-5")
        for account in (ANN, BOB):
            await models.add(account, claude, KEY)
        async with database.transaction() as connection:
            values = ("claude", "claude-sonnet-5", 1, 1, 1.0, 1, "ok")
            await store.add_usage(connection, ANN, models._clock.wall(), values)
            await store.add_usage(connection, BOB, models._clock.wall() - 2 * 86_400, values)
        first, second = await asyncio.gather(models.question(ANN), models.question(ANN))
        assert first.day is second.day
        assert first.day.spent_usd == 1.0
        with pytest.raises(LlmError, match="more than is left for today"):
            await ask(models, ANN)
        assert isinstance(await ask(models, BOB), Answer)
        assert len(fake.asked) == 1

    with_models(tmp_path, scenario, usd_per_day=1.0)


def test_only_so_many_rows_of_usage_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MAX_USAGE", 3)

    async def scenario(_models, _fake, database):
        async with database.transaction() as connection:
            for number in range(5):
                await store.add_usage(connection, ANN, 1e9, ("p", f"m{number}", 1, 1, 1, 1, "ok"))
        found = await database.fetch("SELECT model FROM llm_usage ORDER BY id")
        assert [each["model"] for each in found] == ["m2", "m3", "m4"]

    with_models(tmp_path, scenario)


def test_a_locked_library_loses_no_answer(tmp_path, caplog):
    async def scenario(models, fake, _database):
        await models.add(ANN, stored(fake), KEY)
        router, question = await models.router(ANN), await models.question(ANN)
        other = sqlite3.connect(tmp_path / "data" / "library.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        events = [event async for event in router.ask(ASKED, question)]
        other.close()
        assert isinstance(events[-1], Answer)

    with caplog.at_level(logging.WARNING, "sfa_engine"):
        with_models(tmp_path, scenario)
    assert "usage of a language model is not stored" in caplog.text


ECHO = f'{{"error": {{"message": "bad key {KEY} for Bearer {KEY}", "code": "{KEY}"}}}}'.encode()


@pytest.mark.parametrize("adapter", ["anthropic", "openai", "google_gemini", "ollama"])
def test_a_key_is_in_no_log_error_row_file_or_process_list(tmp_path, caplog, adapter):
    secret = f"{KEY}-{adapter}"

    async def scenario(models, fake, _database):
        await models.add(ANN, StoredProvider("mine", adapter, fake.url, "m"), secret)
        echo = ECHO.replace(KEY.encode(), secret.encode())
        padded = b" " * 150 + echo  # so that a cut would go through the middle of the key
        said = []
        for reply in (
            *(Reply(status, chunks=[echo]) for status in (400, 401, 404, 429, 500)),
            Reply(500, chunks=[b"x" * 170 + secret.encode()]),
            Reply(500, "text/plain", [padded]),
            Reply(302, headers={"location": f"http://{secret}/"}),
            Reply(200, "text/event-stream", [b"data: " + echo + b"\n\n"]),
            Reply(200, "application/x-ndjson", [echo + b"\n"]),
            Reply(200, chunks=[echo]),
            Reply(200, "text/html", [echo]),
            Reply(200, headers={"x": secret, "content-length": "1"}, chunks=[echo]),
            Reply(refuses=True),
        ):
            fake.always = reply
            router, question = await models.router(ANN), await models.question(ANN)
            (found,) = await models.listed(ANN)
            for stream in (True, False):
                question.failures = question.rounds = 0
                with pytest.raises(LlmError) as caught:
                    async for _ in router.ask(ASKED, question, stream=stream):
                        pass
                said += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
                said.append(json.dumps(caught.value.to_wire()))
            said += [repr(found), repr(models.health(ANN).of(found.provider))]
        command = ["ps", "-ww", "-eo", "args"]
        processes = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, check=True
        )
        said.append(processes.stdout.decode(errors="replace"))
        assert [each for each in said if KEY in each] == []
        # Not even a part of it.
        assert [each for each in said if secret[:24] in each] == []

    with caplog.at_level(logging.INFO):  # processes log warnings alone of libraries
        with_models(tmp_path, scenario)
    assert "HTTP Request: POST" in caplog.text
    assert secret[:24] not in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert Path(tmp_path / "data" / "secrets.json") in files
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
