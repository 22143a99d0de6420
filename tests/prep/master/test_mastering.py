"""Masters from file to file: goals met, the source untouched, the same bytes, bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from music import pink, song, write
from scipy.signal import correlate

from sfa_engine.errors import MediaError, Refused, SfaError
from sfa_engine.prep.master import sound_out
from sfa_engine.prep.master.mastering import Request, Source, master, measured

pytestmark = pytest.mark.slow


def run(path, out=None, **options):
    return master(Request(Path(path), out, **options), lambda _share, _doing: None)


def kinds(answer):
    return [step["kind"] for step in answer["chain"]]


@pytest.fixture
def mix(tmp_path):
    return write(tmp_path / "mix.wav", song(12.0, 44_100), 44_100)


@pytest.mark.parametrize(("preset", "lufs"), [("streaming", -14.0), ("broadcast", -23.0)])
def test_the_master_has_the_loudness_and_the_true_peak_that_were_asked_for(
    tmp_path, mix, preset, lufs
):
    answer = run(mix, tmp_path / "out.wav", preset=preset)
    made = answer["result"]
    assert made["integrated_lufs"] == pytest.approx(lufs, abs=0.1)
    assert made["true_peak_dbtp"] <= -1.0
    assert made["duration_s"] == answer["source"]["duration_s"] == 12.0
    assert made["rate"] == 44_100
    again = measured(Source(tmp_path / "out.wav"), lambda _share: None)
    assert again.integrated_lufs == made["integrated_lufs"]


def test_a_target_out_of_reach_ends_at_what_the_limiter_may_take(tmp_path, mix):
    answer = run(mix, tmp_path / "out.wav", preset="club", target_lufs=-5.0)
    made = answer["result"]
    assert made["integrated_lufs"] < -6.0
    assert 2.0 < made["limited_db"] <= 3.1
    assert made["true_peak_dbtp"] <= -0.95
    gain = next(step for step in answer["chain"] if step["kind"] == "gain")
    assert "short of it, for the limiter may take 3 dB" in gain["reason"]
    more = run(mix, tmp_path / "more.wav", target_lufs=-5.0, limit_db=8.0)["result"]
    assert more["integrated_lufs"] > made["integrated_lufs"] + 2.0


def test_what_is_loud_stays_loud_for_streaming_and_is_turned_down_by_a_target(tmp_path):
    loud = write(tmp_path / "loud.wav", np.clip(3.0 * song(8.0), -0.7, 0.7))
    kept = run(loud, tmp_path / "kept.wav")
    before, after = kept["source"]["integrated_lufs"], kept["result"]["integrated_lufs"]
    assert before > -12.0
    gain = next(step for step in kept["chain"] if step["kind"] == "gain")
    assert "as loud as before" in gain["reason"]
    # not all of it: the limiter would have to take more than 3 dB
    assert before - 3.0 < after <= before + 0.1
    assert kept["result"]["true_peak_dbtp"] <= -2.0  # as is advised of what is louder
    down = run(loud, tmp_path / "down.wav", target_lufs=-14.0)["result"]
    assert down["integrated_lufs"] == pytest.approx(-14.0, abs=0.1)


def test_dj_files_keep_their_loudness(tmp_path, mix):
    answer = run(mix, tmp_path / "out.flac", preset="dj")
    assert answer["aim"]["target_lufs"] is None
    kept = answer["source"]["integrated_lufs"]
    assert answer["result"]["integrated_lufs"] == pytest.approx(kept, abs=0.1)


def test_the_same_input_gives_the_same_bytes(tmp_path, mix):
    for name in ("a.flac", "b.flac", "a.wav", "b.wav"):
        run(mix, tmp_path / name, preset="club", bits=16 if name.endswith("wav") else 24)
    for suffix in (".flac", ".wav"):
        one, two = ((tmp_path / f"{n}{suffix}").read_bytes() for n in "ab")
        assert one == two
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    assert soundfile.info(tmp_path / "a.flac").subtype == "PCM_24"


def test_the_master_is_as_long_as_the_source_and_aligned_with_it(tmp_path):
    sound = 0.02 * pink(4.0)
    clicks = [5, 20_000, 100_000, len(sound) - 40]
    sound[clicks] = 0.8
    path = write(tmp_path / "clicks.wav", sound)
    run(path, tmp_path / "out.wav", preset="dj", ceiling_dbtp=-4.0)
    out = soundfile.read(tmp_path / "out.wav")[0]
    assert len(out) == len(sound)
    assert [int(np.abs(out[at - 5 : at + 30]).max(axis=1).argmax()) - 5 for at in clicks] == [0] * 4


def test_excerpts_to_compare_are_equally_loud_and_aligned(tmp_path):
    quiet_then_loud = song(60.0, 44_100)
    quiet_then_loud[: 30 * 44_100] *= 0.1
    path = write(tmp_path / "long.wav", quiet_then_loud, 44_100)
    answer = run(path, tmp_path / "out.flac", preset="club", compare=tmp_path)
    compare = answer["compare"]
    files = [tmp_path / f"out.{which}.wav" for which in ("before", "after")]
    assert [compare["before"], compare["after"]] == [str(file) for file in files]
    reports = [measured(Source(file), lambda _share: None) for file in files]
    assert reports[0].integrated_lufs == pytest.approx(reports[1].integrated_lufs, abs=0.05)
    assert compare["turned_down_db"][0] == 0.0
    assert compare["turned_down_db"][1] > 3.0
    assert 15.0 < compare["start_s"] < 45.0
    sounds = [soundfile.read(file)[0][:, 0] for file in files]
    assert len(sounds[0]) == len(sounds[1])
    # of their edges: an equaliser turns the phase of the rest
    edges = [np.diff(sound, 2) for sound in sounds]
    lags = correlate(*edges, mode="full", method="fft")
    assert abs(int(lags.argmax()) - len(edges[0]) + 1) <= 1


def test_a_reference_is_matched_in_spectrum_and_loudness(tmp_path, mix):
    dull = song(10.0, 44_100)
    dull[1:] = 0.5 * (dull[1:] + dull[:-1])
    reference = write(tmp_path / "reference.wav", 0.4 * dull, 44_100)
    wanted = measured(Source(reference), lambda _share: None)
    answer = run(mix, tmp_path / "out.wav", reference=reference)
    assert answer["result"]["integrated_lufs"] == pytest.approx(wanted.integrated_lufs, abs=0.15)

    def far(report):
        apart = np.array(report["thirds_db"]) - np.array(wanted.thirds_db)
        return float(np.sqrt(np.mean((apart - apart.mean())[5:] ** 2)))

    assert far(answer["result"]) < far(answer["source"])


def test_an_encoder_is_measured_once_on_the_master(tmp_path, mix):
    alone = run(mix, codec="aac-256")
    assert alone["source"]["encoded"]["codec"] == "aac-256"
    made = run(mix, tmp_path / "out.wav", codec="mp3-128")
    assert made["source"]["encoded"] is None
    encoded = made["result"]["encoded"]
    assert encoded["codec"] == "mp3-128"
    assert encoded["overshoot_db"] == pytest.approx(
        encoded["true_peak_dbtp"] - made["result"]["true_peak_dbtp"], abs=0.011
    )
    assert abs(encoded["overshoot_db"]) < 3.0


@pytest.mark.parametrize("codec", ["aac-128", "mp3-320", "opus-128"])
def test_every_codec_returns_the_sound_at_its_level(tmp_path, codec):
    path = write(tmp_path / "quick.wav", song(3.0, 96_000), 96_000)
    encoded = run(path, codec=codec)["source"]["encoded"]
    assert abs(encoded["overshoot_db"]) < 2.0


# ---------------------------------------------------------------------- bad input


def refusal(*given, **options):
    with pytest.raises(SfaError) as caught:
        run(*given, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_the_source_is_never_overwritten(tmp_path, mix):
    before = mix.read_bytes()
    link = tmp_path / "link.wav"
    os.link(mix, link)
    symlink = tmp_path / "symlink.wav"
    symlink.symlink_to(mix)
    for out in (mix, link, symlink, tmp_path / "x" / ".." / "mix.wav"):
        (tmp_path / "x").mkdir(exist_ok=True)
        assert isinstance(refusal(mix, out), Refused)
    reference = write(tmp_path / "reference.wav", song(3.0))
    assert isinstance(refusal(mix, reference, reference=reference), Refused)
    (tmp_path / "out.before.wav").symlink_to(mix)
    assert isinstance(refusal(mix, tmp_path / "out.wav", compare=tmp_path), Refused)
    assert mix.read_bytes() == before


def test_a_failed_master_leaves_no_file(tmp_path):
    path = write(tmp_path / "silent.wav", np.zeros((48_000, 2)))
    assert "is silent" in refusal(path, tmp_path / "out.wav").message
    assert sorted(file.name for file in tmp_path.iterdir()) == ["silent.wav"]


def test_silence_is_reported_without_a_master(tmp_path):
    answer = run(write(tmp_path / "silent.wav", np.zeros((48_000, 2))))
    assert answer["source"]["remarks"] == ["silence: nothing is louder than -70 LUFS"]
    assert answer["chain"] == answer["source"]["platforms"] == []


def test_ten_milliseconds_are_too_short(tmp_path):
    path = write(tmp_path / "short.wav", np.full((480, 2), 0.1))
    found = refusal(path)
    assert isinstance(found, MediaError)
    assert "too short to measure: 0.01 s" in found.message


def test_mono_stays_mono(tmp_path):
    path = write(tmp_path / "mono.wav", song(6.0)[:, 0])
    answer = run(path, tmp_path / "out.wav")
    assert any("mono" in remark for remark in answer["source"]["remarks"])
    assert soundfile.info(tmp_path / "out.wav").channels == 1
    assert answer["result"]["integrated_lufs"] == pytest.approx(-14.0, abs=0.1)


def test_eight_channels_are_mixed_down_and_it_is_said(tmp_path):
    sound = np.repeat(song(4.0, peak=0.1)[:, :1], 8, axis=1)
    answer = run(write(tmp_path / "eight.wav", sound), tmp_path / "out.wav")
    assert answer["source"]["channels"] == 8
    assert any("8 channels: mixed down" in remark for remark in answer["source"]["remarks"])
    assert soundfile.info(tmp_path / "out.wav").channels == 2


def test_samples_that_are_no_numbers_are_silent_and_counted(tmp_path):
    sound = song(4.0)
    sound[1000:1010] = np.nan
    sound[2000] = np.inf
    answer = run(write(tmp_path / "nan.wav", sound, subtype="FLOAT"), tmp_path / "out.wav")
    assert answer["source"]["silent_samples"] == 22
    assert np.isfinite(soundfile.read(tmp_path / "out.wav")[0]).all()


def test_192_khz_stay_192_khz(tmp_path):
    path = write(tmp_path / "fine.wav", song(4.0, 192_000), 192_000)
    made = run(path, tmp_path / "out.wav", codec="aac-256")["result"]
    assert made["rate"] == soundfile.info(tmp_path / "out.wav").samplerate == 192_000
    assert made["integrated_lufs"] == pytest.approx(-14.0, abs=0.1)
    assert made["true_peak_dbtp"] <= -1.0


def test_a_float_file_over_full_scale_ends_below_the_ceiling(tmp_path):
    path = write(tmp_path / "over.wav", song(6.0, peak=4.0), subtype="FLOAT")
    made = run(path, tmp_path / "out.wav", preset="dj")["result"]
    assert made["true_peak_dbtp"] <= -0.95
    assert made["limited_db"] <= 3.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "clubb"}, 'no preset "clubb"'),
        ({"target_lufs": 3.0}, "a target of 3 LUFS"),
        ({"ceiling_dbtp": 1.0}, "a ceiling of 1 dBTP"),
        ({"limit_db": -1.0}, "a limiting of -1 dB"),
        ({"codec": "aac-25"}, 'no codec "aac-25"'),
        ({"bits": 20}, "20 bits"),
        ({"compare": Path("folder")}, "nothing to compare"),
    ],
)
def test_invalid_values_are_refused_before_the_file_is_read(options, words):
    assert words in refusal(Path("/no/such/file.wav"), **options).message


def test_outputs_that_cannot_be_written_are_refused_before_the_work(tmp_path, mix):
    assert 'unknown sound format ".mp3"' in refusal(mix, tmp_path / "out.mp3").message
    assert "is not a folder" in refusal(mix, tmp_path / "none" / "out.wav").message
    (tmp_path / "dir.wav").mkdir()
    assert "is a folder" in refusal(mix, tmp_path / "dir.wav").message
    assert "cannot be written" in refusal(mix, Path("/proc/out.wav")).message


FULL = """
import resource, sys
from pathlib import Path
from sfa_engine.errors import SfaError
from sfa_engine.prep.master import sound_out
from sfa_engine.prep.master.mastering import Request, master
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # bytes
try:
    master(Request(Path(sys.argv[1]), Path(sys.argv[2])), lambda *_: None)
except SfaError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_a_disk_that_takes_no_more_is_named_and_nothing_is_left(tmp_path, mix, name):
    done = subprocess.run(
        [sys.executable, "-c", FULL, mix, tmp_path / name],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'{name}" cannot be written: File too large; choose another path' in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [mix.name]


def test_a_wav_of_more_than_4_gb_is_an_rf64(tmp_path, mix, monkeypatch):
    monkeypatch.setattr(sound_out, "MAX_WAV_BYTES", 1_000_000)
    answer = run(mix, tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes()[:4] == b"RF64"
    assert answer["result"]["duration_s"] == 12.0


HOUR = """
import resource, sys
from pathlib import Path
from sfa_engine.prep.master import sound_out
from sfa_engine.prep.master.mastering import Request, master
made = master(Request(Path(sys.argv[1]), Path(sys.argv[2]), codec="aac-256"), lambda *_: None)
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(peak_mb, made["result"]["integrated_lufs"])
"""


@pytest.mark.nightly
@pytest.mark.parametrize("minutes", [60, 180])
def test_hours_take_no_more_memory_than_minutes(tmp_path, minutes):
    minute = song(60.0, 44_100)
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", 44_100, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)
    done = subprocess.run(
        [sys.executable, "-c", HOUR, path, tmp_path / "out.flac"],
        capture_output=True,
        text=True,
        check=True,
    )
    peak_mb, lufs = map(float, done.stdout.split())
    assert peak_mb < 400
    assert lufs == pytest.approx(-14.0, abs=0.1)
