"""Chains of effects: what is built in, and what is refused of what is given."""

import math

import pytest

from sfa_engine.desk.chains import BUILT_IN, check_chain
from sfa_engine.desk.control import MAX_LABEL
from sfa_engine.desk.effects import KIND_NAMES, KINDS, LENGTHS
from sfa_engine.errors import Refused


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_built_in_is_a_chain(name):
    assert check_chain(BUILT_IN[name]) == BUILT_IN[name]
    assert any(slot["kind"] != "none" for slot in BUILT_IN[name]["slots"])


def test_what_is_left_out_is_at_rest():
    made = check_chain({"slots": [{"kind": "echo"}]})
    assert (made["mode"], made["mix"]) == ("insert", 50.0)
    assert [slot["kind"] for slot in made["slots"]] == ["echo", "none", "none"]
    assert made["slots"][0]["knobs"] == [round(p.rest, 3) for p in KINDS[1].parameters]


@pytest.mark.parametrize(
    "bad",
    [
        None, 5, [], "x", {"mixx": 1}, {"mix": 101}, {"mix": -1}, {"mix": math.nan}, {"mix": True},
        {"mix": "50"}, {"mode": "both"}, {"mode": 1}, {"slots": {}}, {"slots": [{}] * 4},
        {"slots": [5]}, {"slots": [{"kind": "ekko"}]}, {"slots": [{"kind": ["echo"]}]},
        {"slots": [{"on": 1}]}, {"slots": [{"knobs": [1, 2]}]}, {"slots": [{"knobs": "abc"}]},
        {"slots": [{"knobs": [1, 2, 1e9]}]}, {"slots": [{"patch": 7}]},
        {"slots": [{"patch": "x" * 100}]}, {"slots": [{"wet": 1}]},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_chain_is_refused_with_a_hint(bad):
    with pytest.raises(Refused) as caught:
        check_chain(bad)
    assert caught.value.hint


def test_labels_are_short_and_knobs_have_texts():
    for kind in KINDS:
        assert kind.macro in [parameter.label for parameter in kind.parameters]
        for parameter in kind.parameters:
            assert 0 < len(parameter.label) <= MAX_LABEL
            for travel in (0.0, parameter.rest, 100.0):
                assert parameter.text(travel)


def test_lengths_are_steps_of_a_knob():
    (time,) = (p for p in KINDS[KIND_NAMES.index("echo")].parameters if p.label == "TIME")
    texts = [time.text(100.0 * k / (len(LENGTHS) - 1)) for k in range(len(LENGTHS))]
    assert texts[:2] == ["1/16 beat", "1/8 beat"]
    assert texts[-1] == "4 beats"
    assert len(set(texts)) == len(LENGTHS)
