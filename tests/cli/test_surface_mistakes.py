"""Mistakes with surfaces at the command line: one line that says what to do."""

import pytest
from click.testing import CliRunner
from osc_client import free_port

from sfa_engine.cli.main import main
from sfa_engine.errors import SfaError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["osc", "send", "deck1.fader", "-6"], "is not an OSC address; write /deck1/fader"),
        (["midi", "map", "mpc-studio"], "mpc-studio-black, mpc-studio-mk2"),
        (["midi", "map", "DDJ"], "ddj-400, ddj-flx4"),
        (["midi", "learn", "deck1.plya"], 'did you mean "deck1.play"?'),
        (["layout", "touchosc", "-o", "deck.txt"], "end it in .tosc"),
        (["layout", "touchosc", "-o", "/proc/deck.tosc"], "cannot be written"),
    ],
)
def test_a_mistake_is_answered_by_what_to_do(words, said):
    assert said in refusal(words)


@pytest.mark.parametrize("words", [["send", "/deck1/fader", "-6"], ["monitor"]])
def test_osc_without_an_engine_says_that_nobody_receives(words):
    said = refusal(["osc", *words, "--port", str(free_port())])
    assert "no OSC receiver there" in said
    assert "sfa start" in said


def refusal(words):
    done = CliRunner().invoke(main, words, standalone_mode=False)
    if isinstance(done.exception, SfaError):
        return f"{done.exception.message}; {done.exception.hint}"
    return done.output
