"""Switches and lists of texts in the configuration."""

import pytest

from sfa_engine.errors import Refused
from sfa_engine.run.config import load_config


def load(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_config(path)


def test_a_switch_and_a_list_are_read(tmp_path):
    text = '[osc]\nenabled = false\nallow = ["own", "10.0.0.0/8"]\nsubscribers = []\n'
    osc = load(tmp_path, text).osc
    assert osc.enabled is False
    assert osc.allow == ("own", "10.0.0.0/8")
    assert osc.subscribers == ()


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("enabled = 1", "give true or false"),
        ('enabled = "yes"', "give true or false"),
        ('allow = "own"', "give a list of texts"),
        ("allow = [1]", "give a list of texts"),
        ("port = true", "give a whole number"),
        ("port = 70000", "give one from 1 to 65535"),
        ("rate_hz = 61", "give one from 1 to 60"),
    ],
)
def test_another_value_is_refused(tmp_path, line, hint):
    with pytest.raises(Refused) as refused:
        load(tmp_path, f"[osc]\n{line}\n")
    assert refused.value.hint == hint
