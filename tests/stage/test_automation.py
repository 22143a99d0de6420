"""The verbs of the automatic mix on the stage."""

import pytest

from sfa_engine.engine.command import Source
from sfa_engine.engine.layout import MAX_TIMED, TICK
from sfa_engine.errors import Refused
from sfa_engine.host.offline import Offline
from sfa_engine.stage.automation import Automation
from sfa_engine.stage.conductor import Conductor

FAR = 10**9
HAND = Source.SOCKET + 3


@pytest.fixture
def kernel():
    return Offline()


@pytest.fixture
def conductor(kernel, tmp_path):
    return Conductor(kernel.memory, tmp_path / "values.json")


def item(path, value, when=None, since=0):
    return {"path": path, "value": value, "since": since, "when": when}


def test_commands_are_queued_with_the_source_mix(kernel, conductor):
    automation = Automation(conductor)
    said = automation.automation_queue(
        [item("deck1.fader", -6.0), item("deck1.stem.bass.mute", "on", FAR)]
    )
    assert said["queued"] == 2
    kernel.render(TICK)
    conductor.pump()
    assert conductor.get("deck1.fader") == -6.0
    ((_, waiting),) = conductor.waiting()
    assert (waiting.source, waiting.frame, waiting.x) == (Source.MIX, FAR, 1.0)
    assert automation.automation_status()["waiting"] == 1


def test_what_hands_have_set_is_listed_with_its_number(kernel, conductor):
    automation = Automation(conductor)
    conductor.set_nowait("deck1.fader", -3.0, HAND)
    kernel.render(TICK)
    first = automation.automation_status()
    assert first["taken"] == {"deck1.fader": first["seq"]}
    conductor.set_nowait("deck2.trim", -3.0, HAND)
    kernel.render(TICK)
    assert set(automation.automation_status(first["seq"])["taken"]) == {"deck2.trim"}


def test_listeners_see_what_the_mix_does(kernel, conductor):
    seen = []
    conductor.listen(lambda *change: seen.append(change))
    Automation(conductor).automation_queue([item("deck1.fader", -6.0)])
    kernel.render(TICK)
    conductor.pump()
    assert ("deck1.fader", -6.0, Source.MIX) in seen


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (item("deck1.nothing", 1.0), "is not a control of the engine"),
        (item("deck1.cue", 1.0), "is not a control of the engine"),
        (item("deck1.title", "x"), "is not a control of the engine"),
        (item("deck1.fader", 99.0), "99"),
        (item("deck1.fader", float("nan")), "nan"),
        (item("deck1.fader", -3.0, "soon"), "is not a moment"),
        (item("deck1.fader", -3.0, since=-1), "invalid commands"),
        (item("deck1.fader", -3.0, since=1 << 62), "invalid commands"),
        ({"path": "deck1.fader", "value": -3.0}, "invalid commands"),
        ({"path": "deck1.fader", "value": -3.0, "since": 0, "then": 1}, "invalid commands"),
    ],
)
def test_one_wrong_command_queues_none(conductor, wrong, message):
    with pytest.raises(Refused, match=message):
        Automation(conductor).automation_queue([item("deck1.trim", -3.0, FAR), wrong])
    assert not conductor.waiting()


def test_more_than_can_wait_are_refused_whole(conductor):
    automation = Automation(conductor)
    automation.automation_queue([item("deck1.fader", -3.0, FAR)] * (MAX_TIMED - 2))
    with pytest.raises(Refused, match="3 commands cannot wait for their time, 2 can"):
        automation.automation_queue([item("deck1.fader", -3.0, FAR)] * 3)
    assert len(conductor.waiting()) == MAX_TIMED - 2
