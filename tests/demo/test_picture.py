import numpy as np
import pytest
from matplotlib.image import imread

from sfa_engine.demo.picture import SIZE_PIXELS, band_levels, columns, draw_mix, steps, wrapped

RATE = 8000


def tone(frequency_hz, seconds=2.0, level=0.5):
    t = np.arange(round(seconds * RATE)) / RATE
    wave = level * np.sin(2 * np.pi * frequency_hz * t)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def lane(*pairs):
    times, values = zip(*pairs, strict=True)
    return np.array(times, float), np.array(values, float)


@pytest.mark.slow
def test_a_picture_is_a_png_of_the_promised_size_with_something_in_it(tmp_path):
    path = tmp_path / "mix.png"
    lanes = {"crossfader": lane((0, -100), (1, 0), (1.5, 100)), "deck1.rate": lane((0, 1.0))}
    draw_mix(path, tone(100), RATE, lanes, [(0.5, "drop"), (0.52, "swap")], "A mix")
    image = imread(path)
    assert image.shape[:2] == SIZE_PIXELS[::-1]
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 50


@pytest.mark.slow
def test_a_louder_mix_covers_more_of_the_picture(tmp_path):
    bright = []
    for k, level in enumerate((0.1, 0.8)):
        path = tmp_path / f"{k}.png"
        draw_mix(path, tone(100, level=level), RATE, {})
        bright.append(imread(path)[:, :, :3].sum())
    assert bright[1] > 1.1 * bright[0]


@pytest.mark.slow
def test_silence_nothing_and_odd_names_can_be_drawn(tmp_path):
    nothing = np.zeros((0, 2), np.float32)
    lanes = {
        "deck1.stem.vocals.a very long name of a control": lane((0.0, 0.5)),
        "costs $5_and_^more$": (np.array([]), np.array([])),
        "broken": lane((0.0, np.nan)),
    }
    draw_mix(tmp_path / "a.png", nothing, RATE, lanes, [(0.0, "$x")], "$title")
    draw_mix(tmp_path / "b.png", np.zeros((5, 2), np.float32), RATE, {})
    for name in ("a", "b"):
        assert imread(tmp_path / f"{name}.png").shape[:2] == SIZE_PIXELS[::-1]


@pytest.mark.slow
def test_drawing_leaves_the_audio_as_it_was(tmp_path):
    audio = tone(440)
    before = audio.copy()
    draw_mix(tmp_path / "mix.png", audio, RATE, {})
    np.testing.assert_array_equal(audio, before)


def test_columns_hold_every_extreme():
    audio = np.zeros((1000, 2), np.float32)
    audio[337, 0], audio[338, 1] = 0.9, -0.7
    low, high = columns(audio, 100)
    assert low.shape == high.shape == (100,)
    assert high[33] == pytest.approx(0.9)
    assert low[33] == pytest.approx(-0.7)
    assert np.count_nonzero(high) == np.count_nonzero(low) == 1


@pytest.mark.parametrize(("frequency_hz", "band"), [(100, 0), (1000, 1), (3500, 2)])
def test_a_tone_shows_in_its_own_band_with_its_rms(frequency_hz, band):
    levels = band_levels(tone(frequency_hz), RATE, 20)
    assert levels.shape == (3, 20)
    assert levels[band] == pytest.approx(0.5 / np.sqrt(2), rel=0.03)
    assert np.delete(levels, band, axis=0).max() < 0.05


def test_a_value_holds_until_the_next_one_and_the_last_to_the_end():
    t, v = steps(np.array([2.0, 0.0]), np.array([5.0, 3.0]), 4.0)
    np.testing.assert_array_equal(t, [0, 2, 2, 4, 4])
    np.testing.assert_array_equal(v, [3, 3, 5, 5, 5])


def test_a_long_name_breaks_behind_its_dots():
    assert wrapped("deck1.stem.vocals.volume") == "deck1.stem.\nvocals.volume"
    assert wrapped("crossfader") == "crossfader"
