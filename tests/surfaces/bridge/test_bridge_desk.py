"""The desk as an end of routes, on a conductor that is here."""

import pytest

from sfa_engine.desk import find
from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.command import Source
from sfa_engine.engine.memory import Memory
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.raw_bus import Named, RawBus
from sfa_engine.surfaces.bridge.settings import BridgeConfig, RouteConfig
from sfa_engine.surfaces.bridge.start import start_bridge

VOLUME = "deck{}.stem.{}.volume"


class Stage:
    """What routes need of the core."""

    def __init__(self):
        self.conductor = Conductor(Memory.anonymous())
        self.raw_bus = RawBus()
        self.sent = []
        for kind in ("midi", "osc"):
            self.raw_bus.listen(kind, lambda *sent: self.sent.append(sent))

    def take(self):
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def stage():
    return Stage()


def upstream(stage):
    start_bridge(stage, BridgeConfig(upstream=True, device="nano"), ())


@pytest.mark.parametrize("number", range(6))
def test_controllers_7_to_12_are_the_stems_of_the_focused_deck(stage, number):
    upstream(stage)
    path = VOLUME.format(1, STEMS[number])
    stage.raw_bus.publish("midi", "nanoKONTROL2", bytes((0xB3, 7 + number, 40)))
    assert find(path).scale.travel(stage.conductor.get(path)) == pytest.approx(40 / 127)
    assert stage.take() == []  # not back to where it came from
    stage.conductor.set_nowait(path, find(path).scale.value(1.0), Source.SOCKET)
    assert stage.take() == [("nano", bytes((0xB0, 7 + number, 127)))]


def test_a_change_of_focus_brings_the_other_decks_values(stage):
    upstream(stage)
    bass = VOLUME.format(2, "bass")
    stage.conductor.set_nowait(bass, find(bass).scale.value(0.0), Source.SOCKET)
    assert stage.take() == []  # deck 2 is not in focus
    stage.conductor.set_nowait("session.focus", "deck2", Source.SOCKET)
    sent = stage.take()
    assert len(sent) == 6
    assert ("nano", b"\xb0\x09\x00") in sent
    stage.raw_bus.publish("midi", "nano", b"\xb0\x08\x7f")
    drums = VOLUME.format(2, "drums")
    assert stage.conductor.get(drums) == find(drums).scale.high


def test_the_bridge_is_off_until_it_is_configured(stage):
    start_bridge(stage, BridgeConfig(), ())
    assert not stage.raw_bus.is_routed("midi")
    stage.raw_bus.publish("midi", "nano", b"\xb0\x07\x7f")
    stage.conductor.set_nowait("crossfader", 10.0, Source.SOCKET)
    assert stage.take() == []


def test_values_go_in_the_controls_unit_and_switches_by_half(stage):
    routes = (
        RouteConfig("osc:/x", "control:crossfader unit"),
        RouteConfig("control:crossfader unit", "osc:/y"),
        RouteConfig("midi:pad note 36 ch 10", "control:deck1.stem.drums.mute"),
    )
    start_bridge(stage, BridgeConfig(), routes)
    stage.raw_bus.publish("osc", "10.0.0.2:9000", Named("/x", (-30.0,)))
    assert stage.conductor.get("crossfader") == -30.0
    stage.take()
    stage.conductor.set_nowait("crossfader", 55.0, Source.SOCKET)
    assert stage.take() == [("*", Named("/y", (55.0,)))]
    stage.raw_bus.publish("midi", "pad", b"\x99\x24\x64")
    assert stage.conductor.get("deck1.stem.drums.mute")
    stage.raw_bus.publish("midi", "pad", b"\x89\x24\x00")
    assert not stage.conductor.get("deck1.stem.drums.mute")


def test_a_value_that_a_control_refuses_is_logged_once(stage, caplog):
    start_bridge(stage, BridgeConfig(), (RouteConfig("osc:/x", "control:crossfader unit"),))
    for value in (1e6, 1e7):
        stage.raw_bus.publish("osc", "10.0.0.2:9000", Named("/x", (value,)))
    assert caplog.text.count("a route cannot set crossfader") == 1
    assert stage.conductor.get("crossfader") == 0.0
