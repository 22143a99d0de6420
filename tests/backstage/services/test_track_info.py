"""Track objects with pieces missing, and anything else that JSON can hold."""

from __future__ import annotations

import pytest
from fake_spotify import album_object, track_object
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.backstage.services.track_info import Skipped, TrackInfo, parse_entry, parse_track


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"external_ids": {"isrc": "de-a12-34-56789"}}, "isrc", "DEA123456789"),
        ({"external_ids": {"isrc": "nonsense"}}, "isrc", None),
        ({"external_ids": {}}, "isrc", None),
        ({"duration_ms": 0}, "duration_s", None),
        ({"duration_ms": float("inf")}, "duration_s", None),
        ({"album": album_object(release_date="1981")}, "year", 1981),
        ({"album": album_object(release_date="0000")}, "year", None),
        ({"album": album_object(release_date=None)}, "year", None),
        ({"album": album_object(images=[])}, "cover_url", None),
        ({"album": album_object(images=[{"url": "u", "width": None}])}, "cover_url", "u"),
        ({"album": None}, "album", ""),
        ({"name": " A\n  Song "}, "title", "A Song"),
        ({"artists": [{"name": ""}, {"name": "B"}]}, "artists", ("B",)),
        ({"name": "half \ud800 a letter"}, "title", "half ? a letter"),
        ({"track_number": True}, "track_number", None),
    ],
)
def test_what_is_missing_or_odd_is_unknown(changes, name, value):
    assert getattr(parse_track(track_object(1, **changes)), name) == value


@pytest.mark.parametrize("missing", ["name", "artists", "id"])
def test_a_track_without_title_artist_or_id_is_gone(missing):
    title = "(no title)" if missing == "name" else "Song 1"
    gone = Skipped(title, "no longer at Spotify")
    assert parse_track(track_object(1, **{missing: None})) == gone


NAMES = st.sampled_from(
    ["item", "track", "name", "artists", "album", "images", "id", "type", "is_local", "width"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@given(JSON, JSON)
def test_any_json_is_a_track_or_is_left_out(one, other):
    for entry in (one, {"item": one}, {"item": track_object(1, name=one, album=other)}):
        assert isinstance(parse_entry(entry), TrackInfo | Skipped)
