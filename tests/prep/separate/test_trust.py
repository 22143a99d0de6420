"""What is in a file of weights is run only if the file is known as a whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from separable import TINY

torch = pytest.importorskip("torch")
pytest.importorskip("demucs")

from sfa_engine.errors import WorkerError  # noqa: E402 - after what may be absent
from sfa_engine.prep.separate import models as trust  # noqa: E402
from sfa_engine.prep.separate.hybrid import CLASSES, Demucs  # noqa: E402

pytestmark = pytest.mark.slow


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, sign):
        self.sign = sign

    def __reduce__(self):
        return Path.touch, (self.sign,)


def load(folder):
    return Demucs(TINY, folder, "cpu", fetch=False, progress=lambda _: None)


@pytest.fixture
def models(tiny_models, tmp_path):
    return shutil.copytree(tiny_models, tmp_path / "models")


def name_by_digest(path):
    """Give weights the name that their digest wants, as anybody can."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(path.with_name(f"tiny-{digest}{path.suffix}"))


@pytest.fixture
def harmful(models, tmp_path):
    """Weights of the right name that would touch a file; that file."""
    path = next(models.glob("*.th"))
    package = torch.load(path, weights_only=False)
    path.unlink()
    sign = tmp_path / "sign"
    torch.save({**package, "more": Harmful(sign)}, models / "tiny.th")
    name_by_digest(models / "tiny.th")
    return sign


def test_a_pickle_that_is_not_pinned_runs_nothing(models, harmful):
    with pytest.raises(WorkerError, match=r"cannot be loaded: .* more in it than weights"):
        load(models)
    assert not harmful.exists()


def test_a_pinned_file_is_compared_whole_not_by_its_eight_digits(models, harmful, monkeypatch):
    digits = next(models.glob("*.th")).stem.rpartition("-")[2]
    monkeypatch.setitem(trust.DIGESTS, "tiny", digits + "0" * 56)
    with pytest.raises(WorkerError, match="damaged or not the right one"):
        load(models)
    assert not harmful.exists()


def test_a_model_of_another_class_is_refused(models):
    path = next(models.glob("*.th"))
    package = torch.load(path, weights_only=False)
    path.unlink()
    torch.save({**package, "klass": torch.Tensor}, models / "tiny.th")
    name_by_digest(models / "tiny.th")
    with pytest.raises(WorkerError, match="no model of Demucs"):
        load(models)


@pytest.mark.parametrize("klass", ["subprocess.Popen", "os.system", "demucs.utils.fatal"])
def test_safetensors_name_no_class_but_those_of_models(models, tmp_path, klass):
    safetensors = pytest.importorskip("safetensors.torch")
    next(models.glob("*.th")).unlink()
    sign = tmp_path / "sign"
    metadata = {"klass": klass, "args": json.dumps([["touch", str(sign)]]), "kwargs": "{}"}
    path = models / "tiny.safetensors"
    safetensors.save_file({"x": torch.zeros(1)}, path, metadata=metadata)
    name_by_digest(path)
    with pytest.raises(WorkerError, match="no class of Demucs"):
        load(models)
    assert not sign.exists()


@pytest.mark.parametrize(
    "structure",
    ['{"_class": "harmful.Any"}', r'{"\u005fclass": "harmful.Any"}', '{"_dict": []}', ""],
)
def test_safetensors_with_a_structure_import_nothing(models, tmp_path, monkeypatch, structure):
    safetensors = pytest.importorskip("safetensors.torch")
    next(models.glob("*.th")).unlink()
    sign = tmp_path / "sign"
    (tmp_path / "harmful.py").write_text(f"open({str(sign)!r}, 'w')\nAny = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    metadata = {"klass": CLASSES[0], "args": "[]", "kwargs": "{}", "structure": structure}
    path = models / "tiny.safetensors"
    safetensors.save_file({"x": torch.zeros(1)}, path, metadata=metadata)
    name_by_digest(path)
    with pytest.raises(WorkerError, match="might run a program"):
        load(models)
    assert not sign.exists()


def test_every_model_that_demucs_publishes_is_pinned_whole():
    import demucs

    listed = (Path(demucs.__file__).parent / "remote" / "files.txt").read_text().split()
    published = [name for name in listed if name.endswith(".th")]
    assert len(published) == 27
    for name in published:
        digits = name.removesuffix(".th").rpartition("-")[2]
        assert len(trust.digest_of(name)) == 64
        assert trust.digest_of(name).startswith(digits)
