"""The file of curves: what is written is read, by parts too, and damage is found."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.track.curves import (
    FILE,
    MAGIC,
    VERSION,
    CurvesWriter,
    is_current,
    packed,
    parse_header,
    read_curves,
    unpacked,
)

DIGEST = "ab" * 32


def written(rows: int = 300) -> bytes:
    rng = np.random.default_rng(1)
    curves = CurvesWriter()
    curves.add("peaks/mix", rng.random((rows, 4)), 150, (0, 1), square=True)
    curves.add("mfcc", rng.normal(0, 300, (rows // 75, 20)), 2, (-1200, 1200), fine=True)
    curves.add_list("splices", np.arange(7) * 100_000)
    return curves.file(DIGEST)


SMALL = written(75)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / FILE).write_bytes(written())
    return tmp_path


def test_what_was_written_is_read_within_half_a_step(bundle):
    curves = read_curves(bundle)
    rng = np.random.default_rng(1)
    peaks, mfcc = rng.random((300, 4)), rng.normal(0, 300, (4, 20))
    assert curves.digest == DIGEST
    np.testing.assert_allclose(np.sqrt(curves.values("peaks/mix")), np.sqrt(peaks), atol=0.5 / 255)
    np.testing.assert_allclose(curves.values("mfcc"), mfcc, atol=0.02)
    assert curves.splices().tolist() == [n * 100_000 for n in range(7)]


@given(st.integers(-5, 400), st.integers(-5, 400))
@settings(max_examples=50)
def test_a_part_is_the_part_of_the_whole(tmp_path_factory, first, end):
    file = tmp_path_factory.getbasetemp() / "part.sfc"
    if not file.exists():
        file.write_bytes(written())
    curves = read_curves(file)
    whole = curves.numbers("peaks/mix")
    part = curves.numbers("peaks/mix", first, end)
    np.testing.assert_array_equal(part, whole[max(0, first) : max(0, first, end)])


def test_values_that_are_out_of_their_span_or_no_numbers_are_clipped(tmp_path):
    curves = CurvesWriter()
    curves.add("x", [[-9.0], [9.0], [np.nan]], 2, (0, 1))
    (tmp_path / FILE).write_bytes(curves.file(DIGEST))
    assert read_curves(tmp_path).values("x")[:, 0].tolist() == [0.0, 1.0, 0.0]


def test_every_table_begins_at_a_multiple_of_eight():
    head = written(301)
    _, tables = parse_header(head, len(head))
    assert all(table.offset % 8 == 0 for table in tables.values())


def test_a_file_is_current_for_its_sound_stems_and_version_only(bundle):
    assert is_current(bundle, DIGEST, ["mix"])
    assert not is_current(bundle, "cd" * 32, ["mix"])
    assert not is_current(bundle, DIGEST, ["drums", "mix"])
    text = bytearray((bundle / FILE).read_bytes())
    text[8] = VERSION + 1
    (bundle / FILE).write_bytes(text)
    assert not is_current(bundle, DIGEST, ["mix"])
    with pytest.raises(MediaError, match=f"version {VERSION + 1}"):
        read_curves(bundle)
    (bundle / FILE).unlink()
    assert not is_current(bundle, DIGEST, ["mix"])


def test_damaged_data_are_found_when_a_table_is_read_whole(bundle):
    text = bytearray((bundle / FILE).read_bytes())
    text[-1] ^= 1
    (bundle / FILE).write_bytes(text)
    curves = read_curves(bundle)
    curves.data("mfcc")
    with pytest.raises(MediaError, match="damaged"):
        curves.splices()
    (bundle / FILE).write_bytes(text[:-2])
    with pytest.raises(MediaError, match="invalid table"):
        read_curves(bundle)


def test_an_unknown_table_is_refused_with_the_names_there_are(bundle):
    with pytest.raises(MediaError, match="no table") as refused:
        read_curves(bundle).data("chroma")
    assert "peaks/mix" in refused.value.hint


@given(st.data())
@settings(max_examples=200)
def test_no_damaged_header_does_more_than_be_refused(data):
    text = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, 48 + 3 * 64 - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(text)))
    try:
        _, tables = parse_header(bytes(text[:cut]), cut)
    except MediaError:
        return
    assert bytes(text[:8]) == MAGIC
    assert all(t.offset + t.size <= cut for t in tables.values())


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(noise):
    for head in (noise, MAGIC + noise, MAGIC + VERSION.to_bytes(2, "little") + noise):
        try:
            _, tables = parse_header(head, len(head))
        except MediaError:
            continue
        assert all(math.isfinite(table.low) for table in tables.values())


def test_a_packed_file_is_unpacked():
    assert unpacked(packed(written())) == written()
