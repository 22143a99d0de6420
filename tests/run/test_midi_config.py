"""The section [midi] of the configuration."""

import pytest

from sfa_engine.errors import Refused
from sfa_engine.run.config import load_config

GOOD = """
[midi]
enabled = false
ignore = ["^X"]
generic = true
clock_out = ["TR-8"]
clock_offset_ms = -3
[midi.devices]
"nano.*#2" = "generic"
"""


def read(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load_config(file)


def test_the_keys_of_midi_are_read(tmp_path):
    midi = read(tmp_path, GOOD).midi
    assert (midi.enabled, midi.generic, midi.ignore) == (False, True, ("^X",))
    assert midi.devices == {"nano.*#2": "generic"}
    assert (midi.clock_out, midi.clock_in, midi.clock_offset_ms) == (("TR-8",), (".",), -3.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("enabled = 1", "give true or false"),
        ('ignore = "x"', "give a list of texts"),
        ("ignore = [1]", "give a list of texts"),
        ("devices = []", "give a table of texts"),
        ("devices = {a = 1}", "give a table of texts"),
        ('ignore = ["("]', "not a regular expression"),
        ('devices = {"[" = "x"}', "not a regular expression"),
        ("clock_offset_ms = 9000", "from -500 to 500"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_give(tmp_path, text, said):
    with pytest.raises(Refused) as refused:
        read(tmp_path, f"[midi]\n{text}\n")
    assert said in str(refused.value)
