"""Health of providers: what costs nothing, how often it is asked, and what the states mean."""

from __future__ import annotations

import asyncio

import pytest
from fake_llm import KEY, MODEL, error, said
from llm_cases import REAL, Desk, made, with_fakes

from sfa_engine.agents.llm.health import POLL_S, USED_S, ProviderStatus

PATHS = {
    "anthropic": ["/v1/models"],
    "openai": ["/v1/models"],
    "azure_openai": ["/openai/v1/models"],
    "google_gemini": ["/v1beta/models", "/v1beta/models?pageSize=1000"],
    "ollama": ["/api/tags", "/api/show"],
    "lm_studio": ["/v1/models"],
    "litellm": ["/health/liveliness", "/v1/models"],
    "custom_openai": ["/v1/models"],
}
KEYS = {"anthropic": "x-api-key", "azure_openai": "api-key", "google_gemini": "x-goog-api-key"}


@pytest.mark.parametrize("adapter", REAL)
def test_a_check_asks_no_model_and_lists_them(adapter):
    async def scenario(fake):
        provider = made(adapter, fake.url)
        desk = Desk([provider])
        status = await desk.health.check(provider)
        assert status.state == "ready"
        assert [each.name for each in status.listed] == [MODEL]
        assert status.listed[0].context == {"google_gemini": 1_048_576, "ollama": 8192}.get(adapter)
        assert [each.path for each in fake.seen] == PATHS[adapter]
        for seen in fake.seen:
            assert KEY in seen.headers[KEYS.get(adapter, "authorization")]
            assert seen.method == "GET" or seen.path == "/api/show"

    with_fakes(scenario)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (error("openai", 401, "invalid_api_key"), "key refused"),
        (error("openai", 403, ""), "key refused"),
        (error("openai", 429, "insufficient_quota"), "out of quota"),
        (error("openai", 429, "", retry_after="99"), "out of quota"),
        (error("openai", 500, ""), "unknown"),
        (error("openai", 404, ""), "unknown"),
        (said({"data": 3}), "unknown"),
        (said([1]), "unknown"),
    ],
)
def test_a_check_that_fails_says_what_is_wrong(reply, state):
    async def scenario(fake):
        provider = made("openai", fake.url)
        desk = Desk([provider])
        fake.always = reply
        status = await desk.health.check(provider)
        assert status.state == state
        assert status.why
        assert KEY not in status.why
        assert (status.until_s is not None) is (state == "out of quota")
        assert desk.health.of(provider) == status

    with_fakes(scenario)


def test_a_machine_that_is_not_there_is_unreachable():
    async def scenario(fake):
        provider = made("ollama", fake.url)
        await fake.__aexit__()
        desk = Desk([provider])
        status = await desk.health.check(provider)
        assert status.state == "unreachable"
        assert "cannot be reached" in status.why

    with_fakes(scenario)


def test_polls_are_five_minutes_apart_and_end_an_hour_after_the_last_question():
    async def scenario(fake):
        provider = made("openai", fake.url)
        desk = Desk([provider])
        await desk.health.poll([provider])
        assert fake.seen == []  # no question was asked yet
        await desk.ask()
        for wait_s, count in ((0.0, 1), (POLL_S - 1, 1), (1.0, 2), (USED_S, 2)):
            desk.time.now_s += wait_s
            await desk.health.poll([provider])
            await desk.health.poll([provider])
            assert len([each for each in fake.seen if each.method == "GET"]) == count, wait_s
        assert len(fake.asked) == 1  # none of them spent anything

    with_fakes(scenario)


def test_checks_at_the_same_time_are_one_and_a_changed_provider_is_unknown():
    async def scenario(fake):
        provider = made("openai", fake.url)
        desk = Desk([provider])
        await asyncio.gather(*(desk.health.check(provider) for _ in range(5)))
        assert len(fake.seen) == 1
        other = made("openai", fake.url, key="sk-other")
        assert desk.health.of(other) == ProviderStatus()

    with_fakes(scenario)


def test_an_answer_makes_a_provider_ready_again():
    async def scenario(fake):
        provider = made("openai", fake.url)
        desk = Desk([provider])
        fake.replies = [error("openai", 401, "")]
        await desk.fails()
        assert desk.health.of(provider).state == "key refused"
        desk.question.failures = 0
        await desk.ask()
        status = desk.health.of(provider)
        assert (status.state, status.why) == ("ready", "")

    with_fakes(scenario)
