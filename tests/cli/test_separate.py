"""`sfa separate`, `sfa secret` and their worker, as a person meets them."""

import json
import os
import sys

import numpy as np
import pytest
import soundfile

from sfa_engine.bench.separate import bench_quality, sdr_db
from sfa_engine.cli.run_worker import run_worker
from sfa_engine.errors import MediaError, Refused, WorkerError

pytestmark = pytest.mark.slow
RATE = 48_000


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.flac"
    soundfile.write(path, np.random.default_rng(1).standard_normal((RATE, 2)) * 0.1, RATE)
    return path


def quiet(*_):
    """Hear of progress and do nothing."""


def test_a_song_becomes_a_folder_of_stems_and_is_called_a_sketch(sfa, song, tmp_path):
    status, out, _ = sfa("separate", song, "-m", "sketch", "-o", "stems", "--quiet")
    assert status == 0
    assert out.startswith("stems/song: vocals, drums, bass, other, 1.0 s; sketch; a sketch:")
    stems = [soundfile.read(file)[0] for file in (tmp_path / "stems/song").glob("*.wav")]
    assert np.abs(sum(stems) - soundfile.read(song)[0]).max() < 1e-6


def test_a_song_whose_name_is_no_utf_8_becomes_a_folder_of_that_name(sfa, song, tmp_path):
    odd = song.rename(tmp_path / "caf\udce9.flac")
    separate = ["separate", odd, "-m", "sketch"]
    status, out, err = sfa(*separate, "-o", "stems", "--quiet")
    assert (status, err) == (0, "")
    assert out.startswith("stems/caf\ufffd: vocals, drums, bass, other")
    said = json.loads((tmp_path / "stems/caf\udce9/separation.json").read_bytes())
    assert (said["title"], said["source"]) == ("caf?", "caf?.flac")
    told = json.loads(sfa(*separate, "-o", "more", "--json")[1])
    assert told["stems"]["bass"] == "more/caf\udce9/bass.wav"
    status, out, err = sfa(*separate, "--bundle")
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert "is not a valid name for a bundle" in err


def test_one_bad_file_of_a_batch_does_not_stop_the_others(sfa, song, tmp_path):
    (tmp_path / "bad.flac").write_bytes(b"nothing")
    words = ["separate", "bad.flac", song, "-m", "sketch", "-o", "stems", "--quiet", "--json"]
    status, out, err = sfa(*words)
    assert status == 1
    assert [json.loads(line)["file"] for line in out.splitlines()] == [str(song)]
    assert err.startswith("sfa: ")
    assert len(err.splitlines()) == 1
    assert [path.name for path in (tmp_path / "stems").iterdir()] == ["song"]


def test_two_files_of_one_name_are_refused(sfa, song, tmp_path):
    (tmp_path / "more").mkdir()
    status, _, err = sfa("separate", song, "more/song.wav", "-m", "sketch", "--quiet")
    assert status == 1
    assert "stems of 2 files" in err


def test_the_configuration_chooses_engine_and_rate_and_the_library_gets_the_bundle(
    sfa, song, tmp_path
):
    (tmp_path / "config.toml").write_text('[separation]\nengine = "sketch"\n[library]\nrate=44100')
    status, out, _ = sfa("separate", song, "--bundle", "--json", "--quiet")
    assert status == 0
    told = json.loads(out)
    assert (told["engine"], told["rate"]) == ("sketch", 44_100)
    assert (tmp_path / "data/sfa/tracks/song.sfa/track.json").exists()


def test_missing_weights_are_one_line_with_what_to_do(sfa, song, tmp_path):
    pytest.importorskip("demucs")
    status, _, err = sfa("separate", song, "-m", "htdemucs_ft", "--quiet")
    assert status == 1
    assert len(err.splitlines()) == 1
    assert f'not in "{tmp_path}/data/sfa/models"' in err


def test_a_secret_is_read_from_standard_input_and_listed_by_name_only(sfa):
    assert sfa("secret", "set", "lalalai", stdin="14abcde0\n") == (0, "", "")
    assert sfa("secret", "list")[1] == "lalalai\n"
    assert sfa("secret", "remove", "lalalai")[0] == 0
    status, _, err = sfa("secret", "remove", "lalalai")
    assert status == 1
    assert 'no secret "lalalai"' in err


# ---------------------------------------------------------------- errands


def test_an_errand_gives_the_result_and_tells_of_progress(song, tmp_path):
    heard = []
    request = {"path": str(song), "out": str(tmp_path / "out"), "engine": "sketch"}
    told = run_worker("sfa_engine.prep.separate", request, lambda _, doing: heard.append(doing))
    assert told["engine"] == "sketch"
    assert {"decoding", "balancing", "done"} <= set(heard)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"path": "none.flac", "out": "x", "engine": "sketch"}, MediaError),
        ({"path": "none.flac", "out": "x", "engine": "no"}, Refused),
    ],
)
def test_an_errand_raises_what_the_worker_says(tmp_path, monkeypatch, request_, kind):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with pytest.raises(kind) as caught:
        run_worker("sfa_engine.prep.separate", request_, quiet)
    assert caught.value.hint


def test_a_worker_that_ends_without_a_word_is_told_with_its_last_line(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("import sys; sys.exit('the disk is made of cheese')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WorkerError, match=r"status 1 without a result: the disk is made of cheese"):
        run_worker("broken", {}, quiet)


def test_an_errand_that_is_given_up_ends_its_worker(tmp_path, monkeypatch):
    program = """
import json, os, sys, time
sys.stdin.readline()
print(json.dumps({"progress": 0.1, "doing": str(os.getpid())}), flush=True)
time.sleep(60)
"""
    (tmp_path / "sleeper.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pids = []

    def give_up(_, doing):
        pids.append(int(doing))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_worker("sleeper", {}, give_up)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


# ---------------------------------------------------------------- bench


def test_a_ratio_of_signal_to_distortion_is_in_db():
    true = np.full((100, 2), 0.5, np.float32)
    assert sdr_db(true, true * 0.9) == pytest.approx(20.0, abs=1e-4)


def test_the_bench_measures_what_separating_gains(tmp_path):
    time = np.arange(2 * RATE) / RATE
    beat = np.random.default_rng(2).standard_normal(len(time)) * np.exp(-(time % 0.5) / 0.01) * 0.3
    for name, sound in (("drums", beat), ("bass", 0.1 * np.sin(2 * np.pi * 60 * time))):
        soundfile.write(tmp_path / f"{name}.wav", np.repeat(sound[:, None], 2, axis=1), RATE)
    soundfile.write(tmp_path / "other.wav", np.zeros((len(time), 2)), RATE)
    work = tmp_path / "work"
    work.mkdir()
    results = {r["name"]: r["value"] for r in bench_quality("sketch", work, tmp_path)}
    assert set(results) == {
        f"{tmp_path.name}_sketch_{stem}_{what}"
        for stem in ("drums", "bass")
        for what in ("sdr_db", "sdr_gain_db")
    }
    assert min(value for name, value in results.items() if "gain" in name) > 3.0


def test_the_bench_is_one_object_for_programs(sfa):
    words = ["bench", "separate", "--only", "sketch", "--seconds", "1", "--json"]
    status, out, _ = sfa(*words)
    assert status == 0
    names = [r["name"] for r in json.loads(out)["results"]]
    assert names == ["sketch_cpu", "sketch_peak_rss_mb", "sketch_null_db"]
    assert sfa("bench", "separate", "--only", "no")[0] == 1
