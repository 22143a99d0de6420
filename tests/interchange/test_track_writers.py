"""MIDI maps, zips of stems, analyses: what other programs read of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.interchange import analysis_json, midi_map, stem_folder, stem_zip, stem_zip_wav
from sfa_engine.interchange.record import GRID_RATE, Collection, Record
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

RATE = 8_000


def one(**values: object) -> Collection:
    return Collection((Record("1", "/a.wav", title="A", artist="B", **values),))


# ---------------------------------------------------------------------- MIDI


def timeline(file: mido.MidiFile) -> tuple[list[tuple[float, str]], list[tuple[int, float]]]:
    """Return the markers by seconds, and where bars begin: ticks and seconds."""
    tempo, now, tick = 500_000, 0.0, 0
    bar_tick, bar = 0, 4 * file.ticks_per_beat
    markers, bars = [], []
    for message in file.tracks[0]:
        end = tick + message.time
        while bar_tick <= end:
            bars.append(
                (bar_tick, now + mido.tick2second(bar_tick - tick, file.ticks_per_beat, tempo))
            )
            bar_tick += bar
            if message.type == "time_signature" and bar_tick > end:
                break
        now += mido.tick2second(message.time, file.ticks_per_beat, tempo)
        tick = end
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "time_signature":
            bar = message.numerator * 4 * file.ticks_per_beat // message.denominator
            bar_tick = tick + bar
            if (tick, now) not in bars:
                bars.append((tick, now))
        elif message.type == "marker":
            markers.append((now, message.text))
    return markers, bars


@settings(max_examples=80, deadline=None)
@given(
    st.floats(0.0, 3.0),
    st.lists(st.tuples(st.integers(1, 64), st.floats(60.0, 180.0)), max_size=6),
    st.floats(60.0, 180.0),
    st.sampled_from([3, 4]),
    st.lists(st.floats(0.0, 400.0), max_size=5),
)
def test_markers_and_bars_are_where_the_sound_has_them(
    tmp_path_factory, first_s, parts, bpm, bar, places
) -> None:
    anchors = [Anchor(first_s * GRID_RATE, 0.0)]
    for beats, tempo in parts:
        last = anchors[-1]
        frames = beats * 60.0 / tempo * GRID_RATE
        anchors.append(Anchor(last.frame + frames, last.beat + beats))
    grid = Grid(tuple(anchors), bpm, bar)
    cues = tuple(Cue(place, label=f"c{n}") for n, place in enumerate(sorted(places)))
    path = tmp_path_factory.getbasetemp() / "map.mid"
    midi_map.write(one(grid=grid, cues=cues, duration_s=500.0), path)
    markers, bars = timeline(mido.MidiFile(path, charset="utf-8"))
    found = {text: time_s for time_s, text in markers}
    for cue in cues:
        assert found[cue.label] == pytest.approx(cue.position_s, abs=0.001)
    begin = float(grid.beat_of(0.0, GRID_RATE))
    downbeats = [b for b in range(-8 * bar, 40 * bar, bar) if b > begin + 0.02]
    seconds = np.array([time_s for _, time_s in bars])
    for beat in downbeats[:20]:
        wanted = float(grid.frame_of(beat, GRID_RATE)) / GRID_RATE
        assert np.abs(seconds - wanted).min() < 0.001, (beat, wanted, bars[:10])


def test_eight_minutes_of_one_tempo_end_within_a_millisecond(tmp_path: Path) -> None:
    grid = Grid((Anchor(0.35 * GRID_RATE, 0.0),), 123.987)
    cues = (Cue(479.0, label="late"),)
    midi_map.write(one(grid=grid, cues=cues, duration_s=480.0), tmp_path / "a.mid")
    ((late, _),), _ = timeline(mido.MidiFile(tmp_path / "a.mid"))
    assert late == pytest.approx(479.0, abs=0.001)


def test_sections_are_markers_and_a_track_without_a_grid_is_refused(tmp_path: Path) -> None:
    grid = Grid((Anchor(0.0, 0.0),), 120.0)
    extra = {"sections": [{"start_s": 8.0, "end_s": 16.0, "label": "drop \u00e9"}]}
    midi_map.write(one(grid=grid, extra=extra), tmp_path / "a.mid")
    markers, _ = timeline(mido.MidiFile(tmp_path / "a.mid", charset="utf-8"))
    assert markers == [(pytest.approx(8.0), "drop \u00e9")]
    with pytest.raises(MediaError, match="no beat grid"):
        midi_map.write(one(), tmp_path / "b.mid")
    assert not (tmp_path / "b.mid").exists()


# ---------------------------------------------------------------------- stems


@pytest.fixture
def stems(tmp_path: Path) -> tuple[tuple[str, str], ...]:
    rng = np.random.default_rng(1)
    found = []
    for name in ("drums", "bass", "vocals"):
        sound = rng.integers(-9000, 9000, (RATE, 2)).astype(np.int16)
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, sound, RATE, subtype="PCM_16")
        found.append((name, str(path)))
    return tuple(found)


@pytest.mark.parametrize(("module", "ending"), [(stem_zip, "flac"), (stem_zip_wav, "wav")])
def test_the_stems_in_a_zip_are_those_of_the_track_to_the_bit(
    tmp_path: Path, stems, module, ending
) -> None:
    path = tmp_path / "a.zip"
    assert module.write(one(stems=stems, grid=Grid((Anchor(100.0, 0.0),), 120.0)), path) == []
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
        total = np.zeros((RATE, 2), np.int64)
        for name, file in stems:
            with archive.open(f"B - A/{name}.{ending}") as opened:
                sound, rate = soundfile.read(opened, dtype="int16")
            assert rate == RATE
            assert np.array_equal(sound, soundfile.read(file, dtype="int16")[0])
            total += sound
        info = json.loads(archive.read("B - A/info.json"))
    mix = sum(soundfile.read(file, dtype="int16")[0].astype(np.int64) for _, file in stems)
    assert np.array_equal(total, mix)
    assert info["stems"] == ["drums", "bass", "vocals"]
    assert info["grid"]["anchors"] == [{"time_s": 100 / GRID_RATE, "beat": 0.0}]
    assert info["frames"] == RATE


def test_stems_of_different_lengths_and_none_are_refused(tmp_path: Path, stems) -> None:
    soundfile.write(stems[0][1], np.zeros((10, 2)), RATE)
    with pytest.raises(MediaError, match="differ in length"):
        stem_zip.write(one(stems=stems), tmp_path / "a.zip")
    with pytest.raises(MediaError, match="not imported"):
        stem_zip.write(one(), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_folders_of_stems_are_tracks(tmp_path: Path) -> None:
    for folder, names in (
        ("Ann - One", ("drums.wav", "bass.wav")),
        ("Two", ("x.wav",)),
        ("Three", ("drums.wav", "drums 2.wav")),
    ):
        for name in names:
            (tmp_path / folder).mkdir(exist_ok=True)
            soundfile.write(tmp_path / folder / name, np.zeros((10, 2)), RATE)
    found = stem_folder.read(tmp_path)
    assert [(track.artist, track.title) for track in found.tracks] == [("Ann", "One")]
    assert {loss.where for loss in found.losses} == {"Two", "Three"}
    assert stem_folder.read(tmp_path / "Ann - One").tracks == found.tracks
    with pytest.raises(MediaError):
        stem_folder.read(tmp_path / "Ann - One" / "drums.wav")


def test_an_analysis_is_json(tmp_path: Path) -> None:
    extra = {"lufs": -9.5, "title": "not this one"}
    cues = (Cue(1.5, slot=2, label="x"),)
    analysis_json.write(one(cues=cues, bpm=120.0, extra=extra), tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["title"], found["lufs"], found["bpm"]) == ("A", -9.5, 120.0)
    assert found["cues"][0]["hot_cue"] == 2
