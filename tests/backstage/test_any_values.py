"""Every verb of backstage refuses what it cannot take: no value makes a fault of ours."""

import inspect
import pkgutil
from importlib import import_module

import pytest
from any_values import faults, parameters
from house import house

import sfa_engine.backstage.verbs as modules
from sfa_engine.wire.verbs import verbs_of


def classes():
    """Return the classes of backstage that have verbs."""
    for module in pkgutil.iter_modules(modules.__path__, modules.__name__ + "."):
        for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            if kind.__module__ == module.name and verbs_of(kind):
                yield kind


VERBS = parameters(*classes())


@pytest.mark.slow
def test_no_value_makes_a_fault_in_backstage(tmp_path):
    with house(tmp_path) as here, here.start() as client:
        assert faults(client, VERBS) == []
        assert "Traceback" not in here.log


def test_all_verbs_of_backstage_are_among_those_that_are_tried():
    assert {"jobs.retry", "library.grid", "library.flag", "kits.decode", "webhooks.add"} <= set(
        VERBS
    )
