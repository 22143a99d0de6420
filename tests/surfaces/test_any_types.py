"""Every verb of the stage refuses what it cannot take: no value makes a fault of ours."""

import pytest
from any_values import faults, parameters

from sfa_engine.stage.core import Core
from sfa_engine.surfaces.midi.surface import MidiSurface
from sfa_engine.surfaces.socket.server import Client
from sfa_engine.wire.blocking import SocketClient

VERBS = parameters(Core, Client, MidiSurface)


@pytest.mark.slow
def test_no_value_makes_a_fault_in_the_stage(silent_engine):
    with SocketClient(silent_engine.runtime / "engine.sock", 60.0) as client:
        named = {each["name"]: each["params"] for each in client.call("describe")["verbs"]}
        assert set(VERBS) <= set(named)
        verbs = {name: [param["name"] for param in params] for name, params in named.items()}
        assert faults(client, verbs) == []
    assert "Traceback" not in silent_engine.log("stage") + silent_engine.log("host")


def test_all_verbs_of_the_stage_are_among_those_that_are_tried():
    assert {"set", "deck.load", "watch"} <= set(VERBS)


def test_every_public_method_of_the_core_is_a_verb_but_its_life():
    public = {name for name in vars(Core) if not name.startswith("_")} - {"run", "add_verbs"}
    assert {name.replace("_", ".", 1) for name in public} <= set(VERBS)
