"""A question from the socket to a model and back: all real but the model."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from agent_house import AgentHouse, agent_house
from fake_llm import KEY, FakeLlm, Reply, Seen
from scripted_model import Turn, reply, script

from sfa_engine.agents.contract import AGENTS, Context
from sfa_engine.agents.orchestrator import candidates
from sfa_engine.agents.settings import AgentsConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeLlm]:
    """A server of models, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = FakeLlm()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory, fake: FakeLlm) -> Iterator[AgentHouse]:
    with agent_house(tmp_path_factory.mktemp("asked")) as made:
        made.call(
            "llm.add", name="rig", adapter="custom_openai", url=f"{fake.url}/v1", key=KEY, model="m"
        )
        yield made


def says(fake: FakeLlm, *turns: Any) -> list[Seen]:
    """Have the model say something; return the list of what it is asked from now on."""
    fake.seen.clear()
    fake.always = script(*turns)
    return fake.seen


def asked(agents: AgentHouse, instruction: str, **given: Any) -> tuple[dict[str, Any], str]:
    """Return an answer, and what was shown of it before."""
    pieces: list[str] = []

    def notified(name: str, event: dict[str, Any]) -> None:
        if name == "agents.piece" and event["stream"] == "mine":
            pieces.append(event["text"])

    said = agents.client.call_with_notifications(
        notified, "agents.ask", instruction=instruction, stream="mine", **given
    )
    shown = "".join(pieces)
    return said, shown


def test_a_model_words_what_rules_have_found_and_its_words_are_shown_first(
    agents: AgentHouse, fake: FakeLlm
) -> None:
    rules = agents.call("agents.ask", instruction="how fast is track 1?", model=False)
    seen = says(fake, Turn("#1 runs at 120 BPM. That is all."))
    said, shown = asked(agents, "how fast is track 1?")
    assert (said["output"], said["by"]) == ("#1 runs at 120 BPM. That is all.", "model")
    assert (said["provider"], said["data"]) == ("rig", rules["data"])
    assert shown.split() == said["output"].split()
    assert len(seen) == 1


def test_a_figure_that_no_tool_returned_is_not_said(agents: AgentHouse, fake: FakeLlm) -> None:
    says(fake, Turn("#1 runs at 173 BPM."))
    said, shown = asked(agents, "how fast is track 1?")
    assert said["by"] == "rules"
    assert "173" not in said["output"] + shown
    assert any("173" in note for note in said["notes"])


def test_a_model_chooses_between_agents_that_are_close(agents: AgentHouse, fake: FakeLlm) -> None:
    words = "the vocals of track 1 are loud"
    close = candidates(Context(words))
    assert len(close) > 1
    seen = says(fake, Turn(f'{{"agent": "{close[1]}"}}'), Turn("Done."))
    said, _ = asked(agents, words)
    assert said["agent"] == close[1]
    assert len(seen) == 2
    assert asked(agents, words, model=False)[0]["agent"] == close[0]
    assert len(seen) == 2
    other = next(each for each in AGENTS if each not in close)  # which was not to be chosen
    says(fake, Turn(f'{{"agent": "{other}"}}'), Turn("Done."))
    assert asked(agents, words)[0]["agent"] == close[0]


def test_the_choice_of_an_agent_and_its_words_have_one_budget(
    agents: AgentHouse, fake: FakeLlm
) -> None:
    def chooses(_seen: Seen) -> Reply:
        made = reply("openai", Turn(f'{{"agent": "{close[1]}"}}'))
        said = json.loads(made.chunks[0])
        said["usage"]["prompt_tokens"] = AgentsConfig.tokens - 10
        return Reply(chunks=[json.dumps(said).encode()])

    words = "the vocals of track 1 are loud"
    close = candidates(Context(words))
    seen = says(fake, chooses, Turn("Done."))
    said, _ = asked(agents, words)
    assert (said["agent"], said["by"], len(seen)) == (close[1], "rules", 1)
    assert any(f"more than {AgentsConfig.tokens} tokens" in note for note in said["notes"])
