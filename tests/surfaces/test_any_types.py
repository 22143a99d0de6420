"""Every verb of the stage refuses what it cannot take: no value makes a fault of ours."""

import math

import pytest
from any_values import VALUES, faults, of_class, parameters

from sfa_engine.errors import Refused
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.socket.client import SocketClient
from sfa_engine.surfaces.socket.server import HIDDEN, Client
from sfa_engine.wire import frames
from sfa_engine.wire.messages import REQUEST, Request
from sfa_engine.wire.verbs import bind, exported

VERBS = parameters(of_class(Core, HIDDEN), {"watch": Client.watch, "unwatch": Client.unwatch})


@pytest.mark.slow
def test_no_value_makes_a_fault_in_the_stage(silent_engine):
    with SocketClient(silent_engine.runtime / "engine.sock", 60.0) as client:
        assert faults(client, VERBS) == []
    assert "Traceback" not in silent_engine.log("stage") + silent_engine.log("host")


def test_all_verbs_of_the_stage_are_among_those_that_are_tried():
    assert {"set", "deck.load", "watch", "engine.advance"} <= set(VERBS)


# ---------------------------------------------------------------------- by annotation


class Verbs:
    """A verb of every plain type."""

    def all_of(
        self,
        text: str = "",
        switch: bool = False,
        whole: int = 0,
        number: float = 0.0,
        maybe: str | None = None,
    ) -> tuple[object, ...]:
        return text, switch, whole, number, maybe


RIGHT = {
    "text": ["", "x"],
    "switch": [True, False],
    "whole": [0, -1, 1 << 62],
    "number": [0.5, 3, -1e308],
    "maybe": [None, "x"],
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_parameter_takes_its_type_and_no_other(name):
    verbs = exported(Verbs())
    for value in VALUES + RIGHT[name]:
        kinds = {
            "text": str,
            "switch": bool,
            "whole": int,
            "number": int | float,
            "maybe": str | None,
        }
        fits = isinstance(value, kinds[name]) and (type(value) is not bool or name == "switch")
        if isinstance(value, float) and not math.isfinite(value):
            fits = False
        call = Request(1, "all.of", {name: value})
        if fits:
            bind(verbs, call, {})()
        else:
            with pytest.raises(Refused, match=f"^{name} is .*; give "):
                bind(verbs, call, {})


def test_every_value_that_is_tried_can_be_sent():
    for value in VALUES:
        frames.pack([REQUEST, 1, "get", {"x": value}])
