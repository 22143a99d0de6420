"""Demucs's own code on a small model of random weights: files, trust, devices, chunks, sums."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile
from separable import RATE, TINY, music, names_in, read

torch = pytest.importorskip("torch")
pytest.importorskip("demucs")

from sfa_engine.errors import Refused, WorkerError  # noqa: E402 - after what may be absent
from sfa_engine.prep.options import DEVICES  # noqa: E402
from sfa_engine.prep.separate import hybrid  # noqa: E402
from sfa_engine.prep.separate.bag import at_hand  # noqa: E402
from sfa_engine.prep.separate.choice import EngineChoice, resolve  # noqa: E402
from sfa_engine.prep.separate.hybrid import Demucs, find_device  # noqa: E402

pytestmark = pytest.mark.slow


def quiet(*_):
    """Hear of progress and do nothing."""


def load(folder, model=TINY, device="cpu", *, fetch=False):
    return Demucs(model, folder, device, fetch=fetch, progress=quiet)


def run(engine, mix, progress=quiet):
    stems = {name: np.zeros_like(mix) for name in engine.stems}
    engine.separate(mix, stems, progress)
    return stems


@pytest.fixture
def models(tiny_models, tmp_path):
    """A copy of the models, to be tampered with."""
    return shutil.copytree(tiny_models, tmp_path / "models")


@pytest.fixture
def weights(models):
    return next(models.glob("*.th"))


def test_the_worker_separates_with_a_model_of_a_folder(worker, tiny_models, tmp_path):
    mix = music(3.0, rate=48_000)
    soundfile.write(tmp_path / "song.wav", mix, 48_000, subtype="FLOAT")
    told = worker(
        path=str(tmp_path / "song.wav"),
        out=str(tmp_path / "out"),
        model=TINY,
        models_folder=str(tiny_models),
        device="cpu",
    )[-1]["result"]
    assert (told["engine"], told["model"], told["sketch"]) == ("demucs", TINY, False)
    assert told["version"].startswith("demucs ")
    stems = read(told["stems"])
    assert sorted(stems) == ["bass", "drums", "other", "vocals"]
    assert {stem.shape for stem in stems.values()} == {(144_000, 2)}
    assert np.abs(sum(stems.values()) - mix).max() < 1e-6


WITHOUT_DEMUCS = """
import sys
from pathlib import Path
import numpy as np

class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "demucs":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
from sfa_engine.prep.separate import hybrid
del hybrid.PACKAGES["demucs"]
engine = hybrid.Demucs(sys.argv[1], Path(sys.argv[2]), "cpu", fetch=False, progress=lambda _: None)
mix = np.load(sys.argv[3])
stems = {name: np.zeros_like(mix) for name in engine.stems}
engine.separate(mix, stems, lambda _: None)
np.savez(sys.argv[4], **stems)
print(engine.version)
"""


@pytest.mark.skipif(not importlib.util.find_spec("demucs_infer"), reason="no demucs-infer")
@pytest.mark.nightly
def test_demucs_infer_alone_gives_the_same_as_demucs(tiny_models, tmp_path):
    mix = music(2.0)
    np.save(tmp_path / "mix.npy", mix)
    # a process of its own: demucs-infer takes the place of demucs where it is imported
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            WITHOUT_DEMUCS,
            TINY,
            tiny_models,
            *map(
                str,
                (
                    tmp_path / "mix.npy",
                    tmp_path / "stems.npz",
                ),
            ),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.startswith("demucs-infer ")
    found = np.load(tmp_path / "stems.npz")
    for name, stem in run(load(tiny_models), mix).items():
        np.testing.assert_allclose(found[name], stem, atol=1e-5)


def test_chunks_change_nothing_but_their_fades(tiny_models, monkeypatch):
    mix = music(6.0)
    engine = load(tiny_models)
    whole = run(engine, mix)
    monkeypatch.setattr(hybrid, "CHUNK_S", 3.0)
    monkeypatch.setattr(hybrid, "FADE_S", 0.5)
    shares = []
    parted = run(engine, mix, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    for name, stem in parted.items():
        error = np.mean((stem - whole[name]) ** 2) / np.mean(whole[name] ** 2)
        assert error < 0.2  # random weights care much where a segment begins


def test_a_model_gives_silence_for_silence_and_takes_2000_frames(tiny_models):
    engine = load(tiny_models)
    assert not any(stem.any() for stem in run(engine, np.zeros((2_000, 2), np.float32)).values())
    assert {stem.shape for stem in run(engine, music(0.05)[:2_000]).values()} == {(2_000, 2)}


def test_the_same_track_gives_the_same_stems(tiny_models):
    engine, mix = load(tiny_models), music(1.0)
    first, second = run(engine, mix), run(engine, mix)
    np.testing.assert_array_equal(first["drums"], second["drums"])


# ---------------------------------------------------------------- files


def test_missing_weights_are_named_with_source_and_place(tmp_path):
    with pytest.raises(WorkerError) as caught:
        load(tmp_path / "none", "htdemucs")
    said = str(caught.value)
    assert "955717e8-8726e21a.th" in said
    assert str(tmp_path / "none") in said
    assert "https://" in said
    assert "--fetch" in said


def test_an_unknown_model_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(Refused, match='did you mean "htdemucs_ft"'):
        load(tmp_path, "htdemucs_tf")
    with pytest.raises(Refused, match="not a valid name of a model"):
        load(tmp_path, "../htdemucs")


def test_damaged_weights_are_not_loaded(models, weights):
    content = bytearray(weights.read_bytes())
    content[5000] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WorkerError, match="SHA-256 begins"):
        load(models)


def test_weights_that_are_no_model_are_told_from_a_fault(models, weights):
    weights.unlink()
    content = b"not a pickle"
    digest = hashlib.sha256(content).hexdigest()[:8]
    (models / f"tiny-{digest}.th").write_bytes(content)
    with pytest.raises(WorkerError, match="cannot be loaded"):
        load(models)


def test_weights_that_others_may_write_are_not_loaded(models, weights):
    weights.chmod(0o666)
    with pytest.raises(WorkerError, match="written by others"):
        load(models)


def test_weights_without_a_digest_in_their_name_are_not_found(models, weights):
    weights.rename(models / "tiny.th")
    with pytest.raises(WorkerError, match="is not in"):
        load(models)


def test_two_weights_of_one_signature_are_refused(models, weights):
    shutil.copy(weights, models / "tiny-00000000.th")
    with pytest.raises(WorkerError, match="keep one"):
        load(models)


@pytest.mark.parametrize("text", ["models: 5", "[", "bag: [tiny]", "models: ['../tiny']"])
def test_a_description_that_is_none_is_told(models, text):
    (models / f"{TINY}.yaml").write_text(text)
    with pytest.raises((WorkerError, Refused)):
        load(models)


class Weights(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing."""

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A server of weights, as Demucs's authors have one; the path of the file that is wanted."""
    served = tmp_path / "served" / "hybrid_transformer"
    served.mkdir(parents=True)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: Weights(*a, directory=str(tmp_path / "served"))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("SFA_MODELS_URL", f"http://127.0.0.1:{server.server_port}")
    yield served / "955717e8-8726e21a.th"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_was_fetched_and_is_another_file_is_thrown_away(source, tmp_path):
    source.write_bytes(b"something else")
    with pytest.raises(WorkerError, match="not 8726e21a"):
        load(tmp_path / "models", "htdemucs", fetch=True)
    assert names_in(tmp_path / "models") == []


def test_what_cannot_be_fetched_is_told_with_the_way_by_hand(source, tmp_path):
    with pytest.raises(WorkerError, match=r"404.*by hand"):
        load(tmp_path / "models", "htdemucs", fetch=True)
    assert not source.exists()


def test_a_proxy_that_cannot_be_used_is_told(source, tmp_path, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    with pytest.raises(WorkerError, match=r"cannot connect to http://.*ALL_PROXY"):
        load(tmp_path / "models", "htdemucs", fetch=True)
    assert not source.exists()
    assert names_in(tmp_path / "models") == []


def test_fetched_weights_are_whole_when_they_appear(source, weights, tmp_path):
    from sfa_engine.prep.separate import models as folder_of_models

    shutil.copy(weights, source.with_name(weights.name))
    url = f"{hybrid._sources('demucs')['955717e8'].rpartition('/')[0]}/{weights.name}"
    shares = []
    target = tmp_path / "fetched" / weights.name
    target.parent.mkdir()
    left = target.with_name(f".sfa-part-00000000-1-0-{weights.name}")
    left.write_bytes(b"of a killed run")
    folder_of_models.fetch(url, target, shares.append)
    assert target.read_bytes() == weights.read_bytes()
    assert names_in(target.parent) == [weights.name]
    assert shares[-1] == 1.0


def test_of_two_that_fetch_at_once_both_have_the_weights(source, weights, tmp_path):
    from sfa_engine.prep.separate import models as folder_of_models

    shutil.copy(weights, source.with_name(weights.name))
    url = f"{hybrid._sources('demucs')['955717e8'].rpartition('/')[0]}/{weights.name}"
    target = tmp_path / "fetched" / weights.name

    def meanwhile(_):
        if not target.exists():
            folder_of_models.fetch(url, target, quiet)

    assert folder_of_models.fetch(url, target, meanwhile) == target
    assert target.read_bytes() == weights.read_bytes()
    assert names_in(target.parent) == [weights.name]


def test_a_folder_of_models_that_cannot_be_made_is_told(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorkerError, match=r"cannot make .*Not a directory; name another folder"):
        load(tmp_path / "file" / "models", "htdemucs", fetch=True)
    assert not source.exists()


# ---------------------------------------------------------------- choice


def test_an_unknown_device_is_refused_and_an_absent_one_is_named():
    with pytest.raises(Refused, match='did you mean "cuda"'):
        find_device("cudda")
    assert find_device("auto") in DEVICES
    for device, there in (("cuda", torch.cuda.is_available()), ("mps", False)):
        if not there:
            with pytest.raises(WorkerError, match=f"no {device}"):
                find_device(device)


def test_demucs_is_taken_by_itself_when_its_weights_are_at_hand(models, weights):
    assert resolve(EngineChoice(models_folder=models)) == ("embedded", "")
    shutil.copy(weights, models / "955717e8-00000000.th")
    assert at_hand("htdemucs", models)
    assert resolve(EngineChoice(models_folder=models)) == ("demucs", "htdemucs")


def test_rate_and_stems_are_the_models(tiny_models):
    engine = load(tiny_models)
    assert engine.rate == RATE
    assert engine.stems == ("drums", "bass", "other", "vocals")


def test_sources_get_our_names():
    assert hybrid.stem_names(["drum", "bass", "Vocal", "kick"]) == (
        "drums",
        "bass",
        "vocals",
        "kick",
    )
    assert hybrid.stem_names(["vocals", "voice"]) == ("vocals", "voice")


def test_a_description_that_is_none_does_not_hide_the_other_engines(models):
    (models / "htdemucs.yaml").write_text("[")
    assert not at_hand("htdemucs", models)
