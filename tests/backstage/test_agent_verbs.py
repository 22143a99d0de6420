"""``agents.*`` on a real backstage: what tools may call, streams, limits, clients that leave."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from fake_llm import KEY
from proposal_shop import ANN, BOB, ProposalShop, proposal, proposal_shop

from sfa_engine.agents.contract import AGENTS
from sfa_engine.backstage.verbs.agents import MAX_INSTRUCTION, MAX_PROPOSALS
from sfa_engine.errors import Absent, BusyError, Forbidden, Refused
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import connection, frames
from sfa_engine.wire.caller import Caller

pytestmark = pytest.mark.slow
RULES = {"model": False}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with proposal_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest.fixture
def provider(shop: ProposalShop) -> Any:
    """A provider, which the scripted model does not ask."""
    shop.client.call("llm.add", name="rig", adapter="anthropic", key=KEY)
    yield "rig"
    shop.client.call("llm.remove", name="rig")


def test_each_agent_is_listed_with_what_it_does_and_two_questions(shop: ProposalShop) -> None:
    found = shop.client.call("agents.list")["agents"]
    assert [each["name"] for each in found] == list(AGENTS)
    for each in found:
        assert each["sentence"].endswith(".")
        assert len(each["examples"]) == 2


def test_without_a_provider_the_answer_is_by_rules(shop: ProposalShop) -> None:
    said = shop.ask(output="twelve", given={"task": "track", "track": 2, "tracks": [3]})
    assert (said["output"], said["by"], said["agent"]) == ("twelve", "rules", "track")
    assert said["notes"] == []
    assert said["data"]["tracks"] == [2, 3]
    assert said["questions"] == ["and then?"]
    assert shop.ask(given=RULES)["notes"] == []


def test_earlier_questions_come_along_with_the_tracks_that_are_there(shop: ProposalShop) -> None:
    turn = {"instruction": "x", "output": "y", "agent": "mix", "tracks": [1, 4, 77]}
    said = shop.ask(given={**RULES, "history": [turn, turn]})
    assert (said["data"]["history"], said["data"]["tracks"]) == (2, [1, 4])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"instruction": "x" * (MAX_INSTRUCTION + 1)}, "instruction is"),
        ({"instruction": ""}, "instruction is"),
        ({"instruction": " \n "}, "has no words"),
        ({"instruction": "x", "task": "cue"}, 'no agent "cue"; did you mean "cues"?'),
        ({"instruction": "x", "track": 77}, "no track 77"),
        ({"instruction": "x", "tracks": [1, 77]}, "no track 77"),
        ({"instruction": "x", "tracks": list(range(1, 502))}, "tracks is"),
        ({"instruction": "x", "history": [{"instruction": "x"}]}, "history is"),
        ({"instruction": "x", "history": [{"instruction": "x", "output": "", "agent": ""}]},
         'no agent ""'),
        ({"instruction": "x", "provider": "rog"}, 'no provider "rog"'),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_refused(
    shop: ProposalShop, given: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused) as refused:
        shop.client.call("agents.ask", **given)
    assert why in str(refused.value)


def test_tools_read_with_the_rights_of_the_account_and_change_nothing(shop: ProposalShop) -> None:
    before = shop.state()
    rows = shop.client.call("audit.list", limit=1)["changes"]
    calls = [
        ("library.show", {"track": 6}),
        ("library.search", {"words": "title"}),
        ("library.show", {"track": "no such"}),
        ("library.cue", {"track": 1, "position_s": 1.0}),
        ("library.find", {"path": "/etc/passwd"}),
        ("library.removal", {}),
        ("prep.separate", {"track": 1}),
        ("prep.add", {"sources": ["/m"]}),
        ("mix.save", {"name": "x", "text": "version = 1\n"}),
        ("llm.providers", {}),
        ("audit.list", {}),
        ("agents.ask", {"instruction": "{}"}),
        ("proposals.apply", {"proposal": 1}),
        ("get", {"path": "deck1.volume"}),
    ]
    said = shop.ask(calls=calls, given=RULES)["data"]
    assert said["scopes"] == ["propose", "read"]
    codes = [each.get("code") for each in said["said"]]
    assert codes == [
        *(None, None, "absent", "forbidden", "forbidden", "refused", "forbidden", "forbidden"),
        *("forbidden",) * 6,
    ]
    assert shop.state() == before
    assert shop.client.call("audit.list", limit=1)["changes"] == rows
    script = json.dumps({"calls": calls[:1]})
    (hidden,) = shop.call_as(BOB, "agents.ask", instruction=script)["data"]["said"]
    assert "no track" in hidden["message"]
    (seen,) = shop.call_as(ANN, "agents.ask", instruction=script)["data"]["said"]
    assert seen["id"] == 6


def test_proposals_that_cannot_be_stored_are_said_and_the_others_stay(shop: ProposalShop) -> None:
    cue = ("library.cue", {"track": 1, "position_s": 4.0})
    wrong = ("library.cue", {"track": 1, "position_s": "x"})
    made = [
        proposal("cues", cue, title="a\u202eb\nc" + "x" * 300, reason="y" * 3000),
        proposal("cues", ("library.remove", {"track": 1}), title="bad"),
        proposal("cues", wrong),
        proposal("plan", ("mix.save", {"name": "x", "text": "", "was": "0"})),
    ]
    said = shop.ask(proposals=made[1:], given=RULES)
    assert said["proposals"] == []
    assert [note.partition(":")[0] for note in said["notes"]] == [
        '"bad" is not proposed',
        '"some cues" is not proposed',
        '"some plan" is not proposed',
    ]
    assert "may not call" in said["notes"][0]
    text = json.dumps({"proposals": made[:1]})[:1]
    assert text == "{"
    (kept,) = shop.ask(proposals=[{**made[0], "reason": "y"}], given=RULES)["proposals"]
    assert kept["title"].startswith("a b cxx")
    assert len(kept["title"]) == 200
    many = shop.ask(cues={"track": 2, "steps": 1, "proposals": MAX_PROPOSALS + 5}, given=RULES)
    assert len(many["proposals"]) == MAX_PROPOSALS
    assert many["notes"] == ["5 more proposals are left out"]
    for each in (kept, *many["proposals"]):
        shop.client.call("proposals.drop", proposal=each["id"])


def test_a_models_words_are_pushed_to_who_asked_for_them(shop: ProposalShop, provider: str) -> None:
    pushed: list[Any] = []
    script = json.dumps({"pieces": ["One. ", "Two. ", "Three."], "output": "by rules"})
    said = shop.client.call_with_notifications(
        lambda *news: pushed.append(news), "agents.ask", instruction=script, stream="s1"
    )
    assert (said["output"], said["by"], said["model"]) == ("One. Two. Three.", "model", "m")
    assert {method for method, _ in pushed} == {"agents.piece"}
    assert {params["stream"] for _, params in pushed} == {"s1"}
    assert "".join(params["text"] for _, params in pushed) == "One. Two. Three."
    pushed.clear()
    said = shop.client.call_with_notifications(
        lambda *news: pushed.append(news), "agents.ask", instruction=script, provider=provider
    )
    assert (pushed, said["provider"]) == ([], provider)
    said = shop.ask(pieces=["x"], output="by rules", given=RULES)
    assert (said["output"], said["by"], said["notes"]) == ("by rules", "rules", [])


def test_if_the_model_fails_the_answer_is_by_rules_with_a_note(
    shop: ProposalShop, provider: str
) -> None:
    cue = ("library.cue", {"track": 1, "position_s": 4.0})
    said = shop.ask(
        output="by rules",
        pieces=["half an"],
        model_fails=f"{provider} is away",
        proposals=[proposal("cues", cue)],
    )
    assert (said["output"], said["by"]) == ("by rules", "rules")
    assert said["notes"] == ["answered by rules: rig is away"]
    (made,) = said["proposals"]
    shop.client.call("proposals.drop", proposal=made["id"])


def test_a_third_question_at_once_is_refused_and_another_account_is_not_held_up(
    shop: ProposalShop,
) -> None:
    def slow() -> None:
        with shop.house.connect() as client:
            shop.ask(client, sleep_s=30.0, given={**RULES, "stream": "slow"})

    threads = [threading.Thread(target=_quietly, args=(slow,)) for _ in range(2)]
    for each in threads:
        each.start()
    give_up = time.monotonic() + 20

    def asked_until_refused() -> None:
        while time.monotonic() < give_up:
            shop.ask(given=RULES)

    with pytest.raises(BusyError, match="2 questions are being answered"):
        asked_until_refused()
    assert shop.call_as(ANN, "agents.ask", instruction="{}")["output"] == "done"
    assert shop.call_as(ANN, "agents.cancel", stream="slow") == {"count": 0}
    assert shop.client.call("agents.cancel", stream="other") == {"count": 0}
    assert shop.client.call("agents.cancel", stream="slow") == {"count": 2}
    for each in threads:
        each.join(20)
    assert shop.ask(given=RULES)["output"] == "done"


def _quietly(work: Any) -> None:
    with pytest.raises(Refused, match="the question is cancelled"):
        work()


def test_the_question_of_a_client_that_leaves_is_cancelled(shop: ProposalShop) -> None:
    for name in ("gone1", "gone2", "gone3"):  # more than may be asked at once
        client = shop.house.connect()
        script = json.dumps({"sleep_s": 60.0, "output": name})
        _send(client, "agents.ask", instruction=script, model=False)
        give_up = time.monotonic() + 20
        time.sleep(0.1)
        client.close()
        while name not in shop.ask(given=RULES)["data"]["cancelled"]:
            assert time.monotonic() < give_up
            time.sleep(0.05)


def test_a_client_that_only_stops_sending_gets_its_answer(shop: ProposalShop) -> None:
    path = shop.house.runtime / BACKSTAGE_SOCKET
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(30.0)
        line.connect(str(path))
        caller = Caller("backstage", "cli", None, connection)
        script = json.dumps({"sleep_s": 0.5, "output": "late"})
        _, data = caller.request("agents.ask", {"instruction": script, "model": False})
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        while (event := caller.next_event()) is None or event.result is None:
            caller.receive_data(line.recv(65536))
    assert frames.unpack(event.result)["output"] == "late"


def _send(client: Any, method: str, **params: Any) -> None:
    """Send a request without waiting for its answer."""
    _, data = client._caller.request(method, params)
    client._write(data)


IDLE = """
import sys
import sfa_engine.backstage.core
import sfa_engine.backstage.server
print(sorted(name for name in sys.modules if name.startswith("sfa_engine.agents")))
"""


def test_backstage_starts_without_agents() -> None:
    command = [sys.executable, "-c", IDLE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['sfa_engine.agents', 'sfa_engine.agents.settings']"


ASKED = """
import sys
import sfa_engine.backstage.core
import sfa_engine.agents.llm.service
import sfa_engine.agents.model_loop
import sfa_engine.agents.orchestrator
import sfa_engine.agents.tools.all
roots = {name.partition(".")[0] for name in sys.modules}
print(sorted(roots & {"openai", "anthropic", "google", "ollama", "litellm", "mcp", "httpx"}))
"""


def test_questions_import_no_sdk_of_a_provider() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['httpx']"


def test_asking_needs_the_scope_propose(shop: ProposalShop) -> None:
    with pytest.raises(Forbidden, match="propose"):
        shop.call_as(ANN, "agents.ask", instruction="{}", scopes=frozenset({"read"}))
    with pytest.raises(Absent):
        shop.call_as(BOB, "agents.ask", instruction="{}", track=6)
