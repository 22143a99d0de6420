"""Pads and kits on a running engine: loaded, sliced, saved, and there again after any death."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from engine_process import Show, until
from quiet_track import another, bundle_of, call, kill

from sfa_engine.errors import MediaError, Refused, SfaError
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.stage.pads import beats_of

pytestmark = pytest.mark.slow

RATE = 48_000
NOISE = np.random.default_rng(7).standard_normal((RATE // 2, 2)) * 0.1


@pytest.fixture
def engine(quiet_engine: Show) -> Show:
    """An engine with a track of 40 s at 120 BPM on deck 1."""
    return quiet_engine


def value(engine: Show, path: str) -> Any:
    return call(engine, "get", path=path)["value"]


def sounds(engine: Show) -> list[int]:
    return [pad["pad"] for pad in call(engine, "pad.list") if pad["loaded"]]


def is_known(engine: Show, words: str) -> bool:
    return bool(call(engine, "library.search", words=words, limit=1)["count"])


def hit(engine: Show, pad: int) -> None:
    call(engine, "press", path=f"pad{pad}.hit")


def plays(engine: Show, pad: int) -> None:
    call(engine, "set", path=f"pad{pad}.mode", value="loop")
    hit(engine, pad)
    until(lambda: value(engine, f"pad{pad}.playing") == 1, "the pad")
    until(lambda: value(engine, f"pad{pad}.level") > -40, "its level")
    call(engine, "press", path=f"pad{pad}.stop")
    until(lambda: value(engine, f"pad{pad}.playing") == 0, "its end")


def test_files_of_any_format_are_loaded_and_played(engine: Show, tmp_path: Path) -> None:
    for pad, (name, subtype) in enumerate(
        [("a.wav", "PCM_16"), ("b.wav", "FLOAT"), ("c.wav", "PCM_24"), ("d.flac", "PCM_16"),
         ("e.ogg", "VORBIS")], 1,
    ):  # fmt: skip
        soundfile.write(tmp_path / name, NOISE, 44_100, subtype)
        said = call(engine, "pad.load", pad=pad, path=str(tmp_path / name))
        assert said["seconds"] == pytest.approx(len(NOISE) / 44_100, abs=0.01)
        assert value(engine, f"pad{pad}.label") == name[0]
        plays(engine, pad)
    mono, many = tmp_path / "mono.wav", tmp_path / "many.wav"
    soundfile.write(mono, NOISE[:, 0], RATE)
    soundfile.write(many, np.tile(NOISE, 4), RATE)
    for pad, path in ((6, mono), (7, many)):
        call(engine, "pad.load", pad=pad, path=str(path), label="x", color="#ff0000")
        plays(engine, pad)
    assert sounds(engine) == [1, 2, 3, 4, 5, 6, 7]
    call(engine, "pad.clear", pad=2)
    call(engine, "pad.clear", bank=1)
    assert sounds(engine) == []
    assert value(engine, "pad6.label") == ""
    with pytest.raises(Refused, match="no sound on the pad"):
        hit(engine, 1)


def test_what_is_no_sound_is_one_clear_line(engine: Show, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("no sound at all\n" * 50)
    soundfile.write(tmp_path / "rate.wav", NOISE, RATE)
    header = bytearray((tmp_path / "rate.wav").read_bytes())
    header[24:28] = bytes(4)
    (tmp_path / "rate.wav").write_bytes(header)
    soundfile.write(tmp_path / "none.wav", NOISE[:0], RATE)
    hour = np.zeros((3600 * 8000, 2), np.int16)
    soundfile.write(tmp_path / "hour.wav", hour, 8000)
    for name, words in (
        ("empty.wav", "is empty"),
        ("text.mp3", "is not a sound file"),
        ("none.wav", "no sound"),
        ("rate.wav", "is not a sound file, or damaged"),
        ("absent.wav", "no file"),
        ("", "is a folder"),
        ("hour.wav", "3600 s long"),
    ):
        with pytest.raises(SfaError, match=words) as caught:
            call(engine, "pad.load", pad=1, path=str(tmp_path / name))
        assert caught.value.hint, name
    with pytest.raises(Refused, match="pad is 65"):
        call(engine, "pad.load", pad=65, path="x")
    with pytest.raises(Refused, match="is not a colour"):
        call(engine, "pad.load", pad=1, path="x", color="red")
    assert sounds(engine) == []
    assert not list((engine.runtime / "data" / "sfa" / "pads").glob("*.wav"))
    soundfile.write(tmp_path / "one.wav", NOISE[:1], RATE)
    bad = NOISE.copy()
    bad[5:50] = np.nan
    soundfile.write(tmp_path / "nan.wav", bad, RATE, "FLOAT")
    for pad, name in ((1, "one.wav"), (2, "nan.wav")):
        call(engine, "pad.load", pad=pad, path=str(tmp_path / name))
        hit(engine, pad)
    until(lambda: value(engine, "pad2.level") > -40, "the sound")


def test_tracks_are_sliced_and_loops_taken(engine: Show) -> None:
    call(engine, "set", path="deck1.position", value=10.1, wait=True)
    said = call(engine, "pad.slice", deck=1, bank=2, count=4)["pads"]
    assert [(each["pad"], each["frames"]) for each in said] == [(n, 24_000) for n in range(17, 21)]
    assert said[0]["start"] == 10 * RATE
    plays(engine, 18)
    call(engine, "press", path="deck1.hotcue1.store")  # which brings the track into the library
    until(lambda: is_known(engine, "quiet"), "the track in the library")
    found = call(engine, "pad.slice", track="quiet", pad=33, count=2, beats=0.5, start_s=1.0)[
        "pads"
    ]
    assert [each["frames"] for each in found] == [12_000, 12_000]
    call(engine, "press", path="deck1.loop.beatloop")
    with pytest.raises(Refused, match="no stem"):
        call(engine, "pad.loop", pad=1, deck=1, stem="vocals")
    call(engine, "set", path="deck1.rate", value=1.06)
    taken = call(engine, "pad.loop", pad=1, deck=1)
    assert taken["frames"] == 4 * 24_000
    assert value(engine, "pad1.mode") == 2
    assert value(engine, "pad1.pitch") == 0.0
    assert value(engine, "pad1.beats") == pytest.approx(4.0)
    assert value(engine, "sampler.clock") == 1.0
    for wrong, words in (
        ({"deck": 2}, "no track on deck 2"),
        ({}, "one of deck and track"),
        ({"deck": 1, "stem": "drums"}, "no stem"),
        ({"deck": 1, "by": "onset"}, "onsets"),
        ({"deck": 1, "pad": 60, "count": 16}, "give up to 5"),
        ({"deck": 1, "start_s": 39.9}, "nothing to slice"),
    ):
        with pytest.raises(Refused, match=words):
            call(engine, "pad.slice", **wrong)
    with pytest.raises(Refused, match="no track on deck 2"):
        call(engine, "pad.loop", pad=1, deck=2)


def test_a_sound_of_more_beats_than_a_pad_follows_keeps_its_speed(
    engine: Show, tmp_path: Path
) -> None:
    assert [beats_of({"beats": beats}) for beats in (1024.0, 1024.5)] == [1024.0, 0.0]
    silence = np.zeros((210 * RATE, 2), np.float32)  # 1050 beats
    path = write_bundle_arrays(
        tmp_path / "long.sfa", {"mix": silence}, title="Long", artist="", bpm=300.0
    )
    call(engine, "deck.load", deck=2, path=str(path))
    call(engine, "set", path="deck2.loop.start", value=0.0)
    call(engine, "set", path="deck2.loop.end", value=208.0)
    call(engine, "set", path="deck2.rate", value=1.06, wait=True)
    assert call(engine, "pad.loop", pad=1, deck=2)["beats"] == pytest.approx(1040.0)
    assert value(engine, "pad1.beats") == 0.0
    assert value(engine, "pad1.pitch") == pytest.approx(12 * np.log2(1.06), abs=0.01)


def test_a_kit_is_saved_loaded_and_managed(engine: Show, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", NOISE, RATE)
    call(engine, "pad.load", pad=1, path=str(tmp_path / "a.flac"), label="kick", color="#ff8800")
    call(engine, "pad.slice", deck=1, pad=17, count=2, start_s=4.0)
    for path, number in (("pad1.volume", -6.0), ("pad17.mode", "loop"), ("pad17.choke", 3.0)):
        call(engine, "set", path=path, value=number)
    saved = call(engine, "kit.save", name="my kit")
    assert saved["pads"] == 3
    assert sorted(p.name for p in Path(saved["folder"]).iterdir()) == [
        "01.wav", "17.wav", "18.wav", "kit.json",
    ]  # fmt: skip
    call(engine, "pad.clear", all=True)
    call(engine, "set", path="pad1.volume", value=0.0)
    call(engine, "set", path="pad2.reverse", value=True)
    assert call(engine, "kit.load", name="my kit") == {
        "name": "my kit", "loaded": 3, "missing": [], "ignored": [],
    }  # fmt: skip
    assert sounds(engine) == [1, 17, 18]
    until(lambda: value(engine, "pad17.choke") == 3.0, "the settings")
    got = [value(engine, f"pad{n}") for n in ("1.volume", "17.mode", "1.label", "1.color")]
    assert got == [-6.0, 2.0, "kick", "#ff8800"]
    assert value(engine, "pad2.reverse") == 0.0
    plays(engine, 17)
    (Path(saved["folder"]) / "17.wav").unlink()
    said = call(engine, "kit.load", name="my kit")
    assert said["loaded"] == 2
    assert [each["pad"] for each in said["missing"]] == [17]
    assert "17.wav" in said["missing"][0]["why"]
    status, out, err = engine.command("kit", "load", "my kit")
    assert (status, out.strip()) == (0, "my kit: 2 pads")
    assert "pad 17 is empty" in err
    manifest = Path(saved["folder"]) / "kit.json"
    kept = json.loads(manifest.read_text())
    kept["pads"][0]["settings"] |= {"sparkle": 1.0, "volume": 900.0}
    manifest.write_text(json.dumps(kept))
    status, _, err = engine.command("kit", "load", "my kit")
    assert status == 0
    assert "pad 1 without a setting: pads have no setting 'sparkle'" in err
    assert "pad 1 without a setting: pad1.volume" in err
    assert value(engine, "pad1.volume") == 0.0
    assert [p["missing"] for p in call(engine, "kits.show", name="my kit")["pads"]] == [
        False, True, False,
    ]  # fmt: skip
    call(engine, "kits.rename", name="my kit", to="other")
    call(engine, "kits.new", name="empty")
    with pytest.raises(Refused, match='there is a kit "empty"'):
        call(engine, "kits.new", name="empty")
    with pytest.raises(Refused, match='did you mean "other"'):
        call(engine, "kit.load", name="othr")
    status, out, _ = engine.command("kit", "list")
    assert out.splitlines() == ["empty: 0 pads", "other: 3 pads"]
    call(engine, "kits.delete", name="other")
    assert [kit["name"] for kit in call(engine, "kits.list")["kits"]] == ["empty"]
    call(engine, "kit.load", name="empty")
    assert sounds(engine) == []
    with pytest.raises(Refused, match="is not a name"):
        call(engine, "kit.load", name="../up")
    with pytest.raises(Refused, match="no pad has a sound"):
        call(engine, "kit.save", name="x")


def test_what_was_just_played_goes_to_a_pad(engine: Show) -> None:
    with pytest.raises(Refused, match="bars of master are"):
        call(engine, "pad.capture", pad=5, source="master", bars=1000)
    with pytest.raises(Refused, match="no source"):
        call(engine, "pad.capture", pad=5, source="deck1.drum")
    call(engine, "set", path="deck1.play", value=True)
    until(lambda: value(engine, "deck1.beat") > 9, "two bars")
    said = call(engine, "pad.capture", pad=5, source="deck1.mix", bars=1)
    assert (said["beats"], said["label"]) == (4.0, "deck1.mix")
    assert said["seconds"] == pytest.approx(2.0, abs=1e-4)
    kept = Path(said["path"])
    assert kept.parent == engine.runtime / "data" / "sfa" / "pads"
    assert soundfile.info(kept).subtype == "FLOAT"
    got = [value(engine, f"pad5.{name}") for name in ("mode", "quantise", "beats")]
    assert got == [2.0, 2.0, 4.0]
    assert value(engine, "sampler.clock") == 1.0
    hit(engine, 5)
    until(lambda: value(engine, "pad5.playing") == 1, "the next bar")
    status, out, _ = engine.command("pad", "capture", "6", "--from", "deck1", "--bars", "0.5")
    assert status == 0
    assert out.startswith("pad 6: deck1, 1.000 s, ")
    call(engine, "set", path="sampler.capture_from", value="deck1.mix")
    call(engine, "set", path="sampler.capture_bars", value=2)
    call(engine, "press", path="pad7.capture")
    assert value(engine, "pad7.beats") == 8.0
    assert sounds(engine) == [5, 6, 7]
    assert call(engine, "kit.save", name="captured")["pads"] == 3

    def journal() -> str:
        return engine.command("journal", "show", "--commands")[1]

    until(lambda: "  pad  5  deck1.mix" in journal(), "the pad in the journal")


def test_the_pads_are_there_again_after_a_power_failure(engine: Show, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", NOISE, RATE)
    soundfile.write(tmp_path / "b.wav", NOISE, RATE)
    call(engine, "pad.load", pad=1, path=str(tmp_path / "a.flac"), label="kick")
    call(engine, "pad.load", pad=2, path=str(tmp_path / "b.wav"))
    before = call(engine, "pad.list")[0]
    resumes = engine.runtime / "data" / "sfa" / "resume.sfaj"
    written = resumes.stat().st_mtime_ns
    until(lambda: resumes.stat().st_mtime_ns != written, "the next snapshot")
    written = resumes.stat().st_mtime_ns
    until(lambda: resumes.stat().st_mtime_ns != written, "one with the pads")
    (tmp_path / "b.wav").unlink()
    engine.stop()
    (engine.runtime / "engine.memory").unlink(missing_ok=True)
    engine.start("--resume")
    until(lambda: 1 in sounds(engine), "the pad")
    assert call(engine, "pad.list")[0] == before
    until(lambda: any("pad 2 is empty" in r for r in call(engine, "health")["reasons"]), "why")
    plays(engine, 1)


@pytest.mark.parametrize("name", ["stage", "host"])
def test_the_pads_are_there_again_after_a_kill(engine: Show, tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "a.flac", NOISE, RATE)
    shutil.copytree(bundle_of(engine), tmp_path / "copy.sfa")
    call(engine, "pad.load", pad=1, path=str(tmp_path / "a.flac"), label="kick")
    call(engine, "pad.slice", deck=1, pad=17, count=2, start_s=4.0)
    call(engine, "set", path="pad17.mode", value="loop")
    call(engine, "set", path="pad17.label", value="mine")
    call(engine, "set", path="pad17.color", value="#00ff00")
    until(lambda: call(engine, "pad.list")[16]["color"] == "#00ff00", "the names at the host")
    before = call(engine, "pad.list")
    another(engine, name, kill(engine, name))

    def are_back() -> bool:
        try:
            return bool(call(engine, "pad.list") == before)
        except (SfaError, MediaError):
            return False

    until(are_back, "the pads")
    until(lambda: value(engine, "pad17.label") == "mine", "the label")
    assert value(engine, "pad1.label") == "kick"
    assert value(engine, "pad17.mode") == 2.0
    plays(engine, 17)
    plays(engine, 1)


def test_the_command_line_loads_slices_and_lists(engine: Show, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", NOISE, RATE)
    status, out, _ = engine.command_in(tmp_path, "pad", "load", "3", "a.wav")
    assert (status, out.strip()) == (0, f"pad 3: a, 0.500 s, {tmp_path / 'a.wav'}")
    status, out, _ = engine.command(
        "pad", "slice", "1", "--count", "2", "--bank", "4", "--from", "2"
    )
    assert status == 0
    assert [line.partition(",")[0] for line in out.splitlines()] == [
        "pad 49: Quiet 1",
        "pad 50: Quiet 2",
    ]
    status, out, _ = engine.command("pad", "list")
    assert [line.partition(":")[0] for line in out.splitlines()] == ["pad 3", "pad 49", "pad 50"]
    status, _, err = engine.command("pad", "load", "3", str(tmp_path / "no.wav"))
    assert status == 1
    assert len(err.splitlines()) == 1
    status, _, _ = engine.command("pad", "clear", "--all")
    assert sounds(engine) == []
    assert status == 0
