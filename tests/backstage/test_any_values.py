"""Every verb of backstage refuses what it cannot take: no value makes a fault of ours."""

import pytest
from any_values import faults, parameters
from house import house

from sfa_engine.backstage.verbs.files import FileVerbs
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.listing import ListingVerbs
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.verbs.separations import SeparationVerbs
from sfa_engine.backstage.verbs.spotify import SpotifyVerbs

VERBS = parameters(
    *(JobVerbs, PrepVerbs, LibraryVerbs, ListingVerbs, FileVerbs, SeparationVerbs, SpotifyVerbs)
)


@pytest.mark.slow
def test_no_value_makes_a_fault_in_backstage(tmp_path):
    with house(tmp_path) as here, here.start() as client:
        assert faults(client, VERBS) == []
        assert "Traceback" not in here.log


def test_all_verbs_of_backstage_are_among_those_that_are_tried():
    assert {"jobs.retry", "library.grid", "library.cue", "prep.add"} <= set(VERBS)
