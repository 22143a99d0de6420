"""Which engine is taken, on a machine without torch too."""

from __future__ import annotations

import importlib.util

import pytest

from sfa_engine.errors import Refused, WorkerError
from sfa_engine.prep.separate import choice
from sfa_engine.prep.separate.choice import EngineChoice, make_engine, resolve


@pytest.fixture
def without_torch(monkeypatch):
    """Have torch not installed."""
    find = importlib.util.find_spec
    hide = {"torch"}
    monkeypatch.setattr(
        choice.importlib.util, "find_spec", lambda name: None if name in hide else find(name)
    )


@pytest.mark.usefixtures("without_torch")
def test_without_torch_the_sketch_is_taken(tmp_path):
    assert resolve(EngineChoice(models_folder=tmp_path)) == ("sketch", "")
    engine = make_engine(EngineChoice(models_folder=tmp_path), tmp_path, lambda _: None)
    assert (engine.name, engine.sketch) == ("sketch", True)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("model", ["embedded", "htdemucs"])
def test_without_torch_what_needs_it_says_how_to_get_it(tmp_path, model):
    with pytest.raises(WorkerError, match=r"needs torch.*pip install"):
        make_engine(EngineChoice(model=model), tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        (EngineChoice(model="htdemucs_ft"), ("demucs", "htdemucs_ft")),
        (EngineChoice(model="sketch"), ("sketch", "")),
        (EngineChoice(model="embedded"), ("embedded", "")),
        (EngineChoice(model="lalalai:vocals,drums"), ("lalalai", "vocals,drums")),
        (EngineChoice(engine="demucs"), ("demucs", "htdemucs")),
        (EngineChoice(engine="lalalai", model="piano"), ("lalalai", "piano")),
    ],
)
def test_a_model_tells_its_engine(choice, meant):
    assert resolve(choice) == meant


def test_an_unknown_engine_is_refused_with_the_nearest():
    with pytest.raises(Refused, match='did you mean "sketch"'):
        resolve(EngineChoice(engine="skech"))


@pytest.mark.parametrize("model", ["", "sketch", "embedded", "htdemucs", "lalalai"])
@pytest.mark.usefixtures("without_torch")
def test_a_device_of_no_such_name_is_refused_whatever_the_engine(tmp_path, model):
    with pytest.raises(Refused, match='no device "cudda"; did you mean "cuda"'):
        make_engine(EngineChoice(model=model, device="cudda"), tmp_path, lambda _: None)


@pytest.mark.parametrize("device", ["cuda", "mps"])
@pytest.mark.parametrize("model", ["sketch", "embedded"])
def test_an_engine_that_knows_only_the_cpu_says_so(tmp_path, model, device):
    with pytest.raises(Refused, match=f"{model} computes on the cpu only.*{device}"):
        make_engine(EngineChoice(model=model, device=device), tmp_path, lambda _: None)
