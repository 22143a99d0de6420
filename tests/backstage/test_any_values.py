"""Every verb of backstage refuses what it cannot take: no value makes a fault of ours."""

import pytest
from any_values import faults, parameters
from house import house

from sfa_engine.cli.verb_classes import classes_of_backstage

VERBS = parameters(*classes_of_backstage())


@pytest.mark.slow
def test_no_value_makes_a_fault_in_backstage(tmp_path):
    with house(tmp_path) as here, here.start() as client:
        assert faults(client, VERBS) == []
        assert "Traceback" not in here.log


def test_all_verbs_of_backstage_are_among_those_that_are_tried():
    assert {"jobs.retry", "library.grid", "library.flag", "kits.decode", "webhooks.add"} <= set(
        VERBS
    )
