"""``[cues]``: which hot cues analysis sets."""

import pytest

from sfa_engine.errors import Refused
from sfa_engine.prep.hot_cue import CuesConfig
from sfa_engine.run.config import backstage_settings, load_config


def load(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_config(path)


def test_backstage_is_given_the_rules_of_hot_cues(tmp_path):
    config = load(
        tmp_path,
        '[cues]\nkinds = ["drop", "vocals"]\nhot_cues = 4\nfirst = 9\norder = "kinds"\n'
        "most = { vocals = 1 }\nbars_before = { drop = 16 }\n",
    )
    wanted = CuesConfig(("drop", "vocals"), 4, 9, {"vocals": 1}, {"drop": 16}, "kinds")
    assert backstage_settings(config).cues == wanted


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('kinds = ["dorp"]', "cues.kinds has 'dorp'; choose from intro, drop"),
        ('kinds = ["drop", "drop"]', "cues.kinds has 'drop' twice; write it once"),
        ('kinds = "drop"', "give a list of texts"),
        ("hot_cues = 33", "give one from 0 to 32"),
        ("first = 0", "give one from 1 to 32"),
        ('order = "size"', "give time or kinds"),
        ("most = { dorp = 1 }", 'no key "cues.most.dorp"; did you mean "drop"'),
        ("most = { drop = -1 }", "cues.most.drop is -1; give a whole number from 0 to 32"),
        ("most = { drop = true }", "give a whole number from 0 to 32"),
        ("most = 3", "cues.most is 3; give a table of whole numbers"),
        ("bars_before = { drop = 65 }", "give a whole number from 0 to 64"),
        ('bars_before = { drop = "8" }', "give a whole number from 0 to 64"),
    ],
)
def test_another_rule_is_refused(tmp_path, line, sentence):
    with pytest.raises(Refused) as refused:
        load(tmp_path, f"[cues]\n{line}\n")
    assert sentence in str(refused.value)
