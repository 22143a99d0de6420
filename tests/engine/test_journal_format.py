"""The journal's format: what was written is read, and damage anywhere ends what is read."""

import random

import numpy as np
import pytest

from sfa_engine.engine.command import Op, ReportKind
from sfa_engine.engine.journal import (
    HEAD,
    Journal,
    pack_batch,
    parse,
    parse_batches,
    put_state,
    set_entry,
    state_of,
)
from sfa_engine.engine.layout import REPORT, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.set_list import cue_sheet, set_list, track_list
from sfa_engine.errors import MediaError

RATE = 48_000.0


def records(*rows):
    """Return reports; each row has the fields that are not 0."""
    made = np.zeros(len(rows), REPORT)
    for record, row in zip(made, rows, strict=True):
        for name, value in row.items():
            record[name] = value
    return made


def reports(first, *rows, frame=0, lost=0):
    data = records(*rows).tobytes()
    return {"kind": "reports", "first": first, "frame": frame, "lost": lost, "data": data}


def written(*batches):
    """Return a file of these batches, and where each ends."""
    data, total, ends = HEAD, b"", []
    for number, entries in enumerate(batches):
        batch, total = pack_batch(entries, number, total)
        data += batch
        ends.append(len(data))
    return data, ends


@pytest.fixture(scope="module")
def memory():
    return Memory.anonymous()


@pytest.fixture(scope="module")
def small(memory):
    """A set of five batches."""
    host = {"kind": "host", "rate": RATE, "kernel": "k", "cpu": "c", "state": state_of(memory)}
    begun = {"kind": ReportKind.BEGUN, "frame": 64}
    take = {"kind": ReportKind.TAKEN, "op": Op.SET, "x": 1.5, "frame": 96}
    return written(
        [set_entry(memory, 1.0)],
        [host],
        [reports(0, begun, frame=64)],
        [reports(1, take, take, frame=128)],
        [reports(3, frame=4800)],
    )


def test_what_was_written_is_read(small):
    journal = parse(small[0])
    (segment,) = journal.segments
    assert journal.damage == ""
    assert journal.is_of_this_layout
    assert segment.first_frame == 64
    assert segment.end_frame == 4800
    assert len(segment.of_kind(ReportKind.TAKEN)) == 2


def test_a_file_cut_at_any_byte_opens_up_to_its_last_whole_batch(small):
    data, ends = small
    for size in range(len(HEAD), len(data)):
        found = parse_batches(data[:size])
        assert found.batches == sum(end <= size for end in ends)
        assert bool(found.damage) is (size not in {len(HEAD), *ends}), size
        Journal.of(found)


def test_a_file_altered_anywhere_opens_up_to_the_batch_before(small):
    data, ends = small
    draw = random.Random(12)
    for _ in range(2000):
        at = draw.randrange(len(HEAD), len(data))
        changed = bytearray(data)
        changed[at] ^= 1 << draw.randrange(8)
        found = parse_batches(bytes(changed))
        assert found.batches == sum(end <= at for end in ends)
        assert found.damage
        Journal.of(found)


def test_a_batch_that_was_left_out_or_moved_ends_the_file(small):
    data, ends = small
    without = data[: ends[1]] + data[ends[2] :]
    assert parse_batches(without).batches == 2
    assert "altered" in parse_batches(without).damage
    twice = data + data[ends[3] :]
    assert parse_batches(twice).batches == 5


def test_noise_is_no_journal_and_never_a_traceback():
    draw = random.Random(3)
    for size in (0, 1, 7, 8, 9, 40, 4000):
        noise = draw.randbytes(size)
        with pytest.raises(MediaError, match="not a journal"):
            parse(noise)
        assert parse(HEAD + noise).segments == []


def test_another_version_is_refused_with_its_number():
    with pytest.raises(MediaError, match="version 9"):
        parse(HEAD[:4] + (9).to_bytes(4, "little"))


def test_reports_that_a_dying_host_wrote_twice_count_once(memory):
    host = {"kind": "host", "rate": RATE, "state": b""}
    take = {"kind": ReportKind.TAKEN, "op": Op.SET}
    data, _ = written(
        [set_entry(memory, 1.0), host],
        [reports(0, {"kind": ReportKind.BEGUN}, take, take, frame=32)],
        [reports(1, take, take, take, frame=64)],
    )
    (segment,) = parse(data).segments
    assert len(segment.of_kind(ReportKind.TAKEN)) == 3


def test_the_state_is_put_back_byte_for_byte(memory):
    other = Memory.anonymous()
    other.engine["flat"][3] = 0.25
    other.engine["transport"][1]["position"] = 77.0
    put_state(memory, state_of(other))
    assert memory.engine["flat"][3] == 0.25
    assert memory.engine["transport"][1]["position"] == 77.0
    with pytest.raises(MediaError, match="state of 3 bytes"):
        put_state(memory, b"abc")
    memory.rest()


# ---------------------------------------------------------------------- tracks


def played(memory, *rows, end_s=100.0):
    """Return the journal of a set, with a load of deck 1 at 1 s and of deck 2 at 10 s."""
    host = {"kind": "host", "rate": RATE, "state": state_of(memory)}
    loads = [
        {
            "kind": "load", "ticket": n, "deck": n - 1, "slot": n, "x": 0.0, "how": 0,
            "track": {"title": f"Track {n}", "artist": 'A "Band"', "path": f"/x/{n}.sfa"},
        }
        for n in (1, 2)
    ]  # fmt: skip
    load_rows = [
        {"kind": ReportKind.APPLIED, "op": Op.LOAD, "deck": n - 1, "ticket": n, "frame": at * RATE}
        for n, at in ((1, 1), (2, 10))
    ]
    begun = {"kind": ReportKind.BEGUN}
    data, _ = written(
        [set_entry(memory, 1.0), host],
        [*loads, reports(0, begun, *load_rows, *rows, frame=int(end_s * RATE))],
    )
    return parse(data)


def play(deck, at_s, on=1.0):
    return {
        "kind": ReportKind.APPLIED, "op": Op["PLAY"], "deck": deck - 1, "x": on,
        "frame": at_s * RATE,
    }  # fmt: skip


def put(path, value, at_s):
    return {
        "kind": ReportKind.APPLIED, "op": Op.SET, "target": VALUE_INDEX[path], "x": value,
        "frame": at_s * RATE,
    }  # fmt: skip


def test_a_track_counts_from_when_it_is_audible(memory):
    journal = played(
        memory,
        put("deck2.fader", -120.0, 11),
        play(1, 12),
        play(2, 20),
        put("deck2.fader", 0.0, 30),
        play(1, 50, 0.0),
    )
    found = [(track.deck, track.title, track.frame / RATE) for track in set_list(journal)]
    assert found == [(1, "Track 1", 12.0), (2, "Track 2", 30.0)]


def test_a_slip_of_the_fader_is_no_play(memory):
    journal = played(memory, play(1, 12), play(1, 13, 0.0), play(1, 60))
    assert [track.frame / RATE for track in set_list(journal)] == [60.0]


def test_a_cue_sheet_and_a_list_have_the_times_in_the_file(memory):
    journal = played(memory, play(1, 12), play(2, 95.5))
    tracks = [(track.frame / RATE - 12, track) for track in set_list(journal)]
    sheet = cue_sheet(tracks, "my set.wav")
    assert 'FILE "my set.wav" WAVE\n  TRACK 01 AUDIO\n    TITLE "Track 1"\n' in sheet
    assert "PERFORMER \"A 'Band'\"" in sheet
    assert "INDEX 01 01:23:37\n" in sheet
    assert track_list(tracks).splitlines()[1].startswith("0:01:23\tA ")
