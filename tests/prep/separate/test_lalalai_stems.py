"""LALAL.AI's noise, and the mid and side of what it leaves; the minutes of its licence."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from fake_lalalai import LICENCE, SHARES, FakeLalalai
from separable import RATE, music, read

from sfa_engine.errors import Refused
from sfa_engine.prep.separate.choice import EngineChoice
from sfa_engine.prep.separate.licence import quota
from sfa_engine.prep.separate.separation import SeparationRequest, separate

pytestmark = pytest.mark.slow


@pytest.fixture
def cloud(monkeypatch):
    monkeypatch.setenv("SFA_LALALAI_KEY", LICENCE)
    with FakeLalalai() as fake:
        monkeypatch.setenv("SFA_LALALAI_URL", fake.url)
        yield fake


@pytest.fixture
def stems_of(song, tmp_path, cloud):  # noqa: ARG001 - the service is there
    """Separate a second of music into some stems; return what came of it, and the sounds."""

    def run(model):
        choice = EngineChoice(engine="lalalai", model=model)
        wanted = SeparationRequest(song, tmp_path / "out", choice=choice, rate=RATE)
        told = separate(wanted, lambda *_: None)
        return told, read(told["stems"])

    return run


def test_noise_is_what_the_split_of_the_voice_leaves(stems_of, cloud):
    told, stems = stems_of("noise")
    assert list(told["stems"]) == ["noise", "other"]
    mix = music(1.0)
    np.testing.assert_allclose(stems["noise"], mix * (1.0 - SHARES["voice"]), atol=2e-3)
    np.testing.assert_allclose(sum(stems.values()), mix, atol=1e-6)
    assert cloud.splits == {"file-1": "voice"}


def test_voice_and_noise_are_one_split_and_cost_its_minutes_once(stems_of, cloud):
    cloud.left_min = 1.5 / 60.0  # for a second of music, and not for two
    told, stems = stems_of("voice,noise")
    assert cloud.requests.count("/api/split/") == 1
    assert set(told["stems"]) == {"voice", "noise", "other"}
    np.testing.assert_allclose(stems["voice"], music(1.0) * SHARES["voice"], atol=2e-3)
    assert np.abs(stems["other"]).max() < 2e-3


def test_mid_and_side_divide_what_the_service_leaves(stems_of, cloud):
    told, stems = stems_of("vocals,mid,side")
    assert set(told["stems"]) == {"vocals", "mid", "side"}
    mix = music(1.0)
    left = mix * (1.0 - SHARES["vocals"])
    np.testing.assert_allclose(stems["mid"][:, 0], stems["mid"][:, 1], atol=1e-6)
    np.testing.assert_allclose(stems["mid"][:, 0], left.mean(axis=1), atol=2e-3)
    np.testing.assert_allclose(stems["side"][:, 0], -stems["side"][:, 1], atol=1e-6)
    np.testing.assert_allclose(sum(stems.values()), mix, atol=1e-6)
    assert cloud.requests.count("/api/split/") == 1


def test_side_alone_leaves_the_middle_in_other(stems_of):
    told, stems = stems_of("vocals,side")
    assert set(told["stems"]) == {"vocals", "side", "other"}
    np.testing.assert_allclose(stems["other"][:, 0], stems["other"][:, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("mid,side", "mid and side are of what the service leaves"),
        ("vocals,noise,noise", 'has no stem "noise", or it is asked for twice'),
        ("vocals,noize", 'did you mean "noise"'),
    ],
)
def test_what_is_no_choice_is_refused_before_anything_is_sent(stems_of, cloud, model, said):
    with pytest.raises(Refused, match=said):
        stems_of(model)
    assert cloud.requests == []


def test_a_stem_that_no_deck_has_is_refused_for_a_bundle_before_it_costs(song, tmp_path, cloud):
    choice = EngineChoice(engine="lalalai", model="voice,noise")
    wanted = SeparationRequest(song, bundle=tmp_path / "song.sfa", choice=choice, rate=RATE)
    with pytest.raises(Exception, match='no stem "voice"'):
        separate(wanted, lambda *_: None)
    assert cloud.requests == []


def test_the_command_shows_the_minutes_left(cloud, tmp_path):
    def sfa(*words, **more):
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.cli.main", "lalalai", "quota", *words],
            env={**os.environ, "XDG_DATA_HOME": str(tmp_path), **more},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    assert sfa() == (0, "90 of 300 minutes left (Plus pack)\n", "")
    said = json.loads(sfa("--json")[1])
    assert said == {"plan": "Plus pack", "left_min": 90.0, "limit_min": 300.0}
    status, out, err = sfa(SFA_LALALAI_KEY="another")
    assert (status, out) == (1, "")
    assert err.startswith("sfa: LALAL.AI does not accept the licence key")
    assert "another" not in err
    assert cloud.files == {}


def test_the_quota_is_that_of_the_given_address(cloud, monkeypatch):
    monkeypatch.delenv("SFA_LALALAI_URL")
    assert quota(cloud.url).left_min == 90.0
