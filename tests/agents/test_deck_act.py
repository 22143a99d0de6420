"""The tool that acts on decks, on a real engine: quantised, inaudible, and never against a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from agent_house import MOST_SCOPES, AgentHouse, fill
from engine_process import show, until

from sfa_engine.errors import Locked, Refused

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def agents() -> Iterator[AgentHouse]:
    def prepare(engine: Any) -> None:
        data = engine.runtime / "data" / "sfa"
        data.mkdir(parents=True, mode=0o700)
        asyncio.run(fill(data))

    with show({}, "none", prepare=prepare) as engine:
        until((engine.runtime / "backstage.sock").exists, "backstage")
        with engine.connect() as client:
            yield AgentHouse(engine.runtime / "engine.sock", client)


def act(agents: AgentHouse, deck: int, action: str, **given: Any) -> dict[str, Any]:
    params = {"deck": deck, "action": action, "track": None, "place": None, **given}
    return agents.use("deck_act", params, tracks=[1, 2], scopes=MOST_SCOPES)


def put(agents: AgentHouse, **values: Any) -> None:
    for path, value in values.items():
        agents.call("set", path=path.replace("__", "."), value=value)


def test_a_deck_that_nobody_hears_is_loaded_started_and_stopped(agents: AgentHouse) -> None:
    put(agents, deck2__fader=-60.0)
    assert act(agents, 2, "load", track=1)["sentence"] == "track 1 is loaded"
    assert act(agents, 2, "start")["sentence"] == "starts on the next bar"
    status = lambda: agents.call("status")["decks"][1]["playing"]  # noqa: E731
    until(status, "the deck")
    with pytest.raises(Locked, match="deck 2 plays"):
        act(agents, 2, "load", track=2)
    assert "drop" in act(agents, 2, "jump", place="drop")["sentence"]
    act(agents, 2, "stop")
    until(lambda: not status(), "the end")


def test_a_deck_that_is_or_would_be_heard_is_left_alone(agents: AgentHouse) -> None:
    put(agents, deck1__fader=0.0, master__volume=0.0, crossfader=0.0)
    act(agents, 1, "load", track=1)
    with pytest.raises(Locked, match="deck 1 would be heard"):
        act(agents, 1, "start")
    put(agents, deck1__play=True)
    until(lambda: agents.call("status")["decks"][0]["playing"], "the deck")
    for action, given in (("stop", {}), ("jump", {"place": "drop"}), ("load", {"track": 2})):
        with pytest.raises(Locked, match="deck 1"):
            act(agents, 1, action, **given)
    put(agents, deck1__play=False)


def test_nothing_is_done_while_the_session_is_locked(agents: AgentHouse) -> None:
    put(agents, session__lock="on")
    with pytest.raises(Locked, match=r"session.lock is on"):
        act(agents, 2, "load", track=2)
    asked = {"job": "analyse", "track": 1, "preset": "streaming"}
    with pytest.raises(Locked, match=r"session.lock is on"):
        agents.use("job_start", asked, tracks=[1], scopes=MOST_SCOPES)
    put(agents, session__lock="auto")


def test_while_the_session_is_locked_questions_are_answered_and_nothing_is_proposed(
    agents: AgentHouse,
) -> None:
    def asked(instruction: str) -> dict[str, Any]:
        found: dict[str, Any] = agents.call("agents.ask", instruction=instruction, model=False)
        return found

    put(agents, session__lock="on")
    until(lambda: not asked("set hot cues for track 1")["proposals"], "the lock", 0.05)
    said = asked("set hot cues for track 1")
    assert (
        "Session.lock is on: it refuses propose_cues, and leaves what only reads." in said["output"]
    )
    assert said["data"]["error"] == "locked"
    assert "120.0 BPM" in asked("what key and tempo has track 1?")["output"]
    put(agents, session__lock="auto")
    until(lambda: bool(asked("set hot cues for track 1")["proposals"]), "the end of it", 0.05)


def test_actions_take_what_they_need_and_nothing_else(agents: AgentHouse) -> None:
    with pytest.raises(Refused, match="give a track to load"):
        act(agents, 2, "load")
    with pytest.raises(Refused, match="give a track to load, else null"):
        act(agents, 2, "start", track=1)
    with pytest.raises(Refused, match="place is not expected"):
        act(agents, 2, "stop", place="drop")
    with pytest.raises(Refused, match="no tool has returned a track 3"):
        act(agents, 2, "load", track=3)
