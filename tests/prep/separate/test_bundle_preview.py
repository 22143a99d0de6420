"""A preview of a bundle: stems of its whole length, separated in one part; they sum to the mix."""

import numpy as np
import pytest
import soundfile

from sfa_engine.errors import MediaError
from sfa_engine.library.bundle import constant_grid
from sfa_engine.prep.bundle_writer import write_bundle
from sfa_engine.prep.mixdown import Mixdown, stem_names
from sfa_engine.prep.separate import raw
from sfa_engine.prep.separate.choice import EngineChoice
from sfa_engine.prep.separate.preview import within_whole
from sfa_engine.prep.separate.separation import SeparationRequest, separate
from sfa_engine.track.media import Separation, parse_track, read_bundle

RATE = 8_000


def sound(path, seconds, seed):
    made = np.random.default_rng(seed).normal(0.0, 0.1, (round(seconds * RATE), 2))
    return raw.write_blocks(path, [made.astype(np.float32)])


def bundle_of(folder, sounds, **facts):
    for name, stem in sounds.items():
        soundfile.write(folder / f"{name}.wav", stem, 48_000, subtype="FLOAT")
    files = {name: folder / f"{name}.wav" for name in sounds}
    return write_bundle(folder / "song.sfa", files, title="Song", artist="Band", **facts)


@pytest.mark.parametrize(("begin_s", "part_s"), [(0.0, 2.0), (1.0, 1.0), (3.0, 1.0), (0.0, 4.0)])
def test_outside_the_part_other_is_the_mix_and_the_sum_is_the_mix_everywhere(
    tmp_path, begin_s, part_s
):
    whole = sound(tmp_path / "whole", 4.0, 1)
    begin, count = round(begin_s * RATE), round(part_s * RATE)
    vocals = sound(tmp_path / "vocals", part_s, 2)
    part = {"vocals": vocals, "other": whole[begin : begin + count] - vocals}
    stems = within_whole(whole, part, begin, RATE, tmp_path)
    np.testing.assert_allclose(sum(stems.values()), whole, atol=1e-6)
    outside = np.ones(len(whole), bool)
    outside[begin : begin + count] = False
    assert not stems["vocals"][outside].any()
    middle = slice(count // 4, 3 * count // 4)
    np.testing.assert_array_equal(stems["vocals"][begin:][middle], vocals[middle])
    # It fades at an edge within the track, and not at the track's own.
    assert (not stems["vocals"][begin].any()) is (begin > 0)


def test_a_last_stem_takes_the_mix_where_none_is_called_other(tmp_path):
    whole = sound(tmp_path / "whole", 2.0, 1)
    part = {"vocals": whole[:RATE] * 0.5, "drums": whole[:RATE] * 0.5}
    stems = within_whole(whole, part, 0, RATE, tmp_path)
    np.testing.assert_array_equal(stems["drums"][RATE:], whole[RATE:])


@pytest.mark.slow
def test_a_preview_of_a_bundle_keeps_its_grid_and_says_what_is_separated(tmp_path):
    time_s = np.arange(8 * 48_000) / 48_000
    loud = 0.1 + 0.5 * ((time_s > 3.0) & (time_s < 5.0))
    mix = (loud * np.sin(2 * np.pi * 220.0 * time_s))[:, None].repeat(2, 1).astype(np.float32)
    bundle = bundle_of(tmp_path, {"mix": mix}, bpm=120.0, first_beat_s=0.25)
    before = read_bundle(bundle).track
    choice = EngineChoice(engine="sketch")
    wanted = SeparationRequest(bundle, bundle=bundle, choice=choice, preview_s=2.0)
    told = separate(wanted, lambda *_: None)
    assert (told["start_s"], told["end_s"]) == (3.0, 5.0)
    now = read_bundle(bundle).track
    assert now.separation.preview == (3 * 48_000, 5 * 48_000)
    assert (now.frames, now.grid) == (before.frames, before.grid)
    assert now.grid == constant_grid(120.0, 0.25, 4, 48_000)
    summed = np.concatenate(list(Mixdown(read_bundle(bundle), 48_000)))
    np.testing.assert_allclose(summed, mix, atol=1e-3)  # 16 bits, four times
    assert stem_names(bundle) == []  # an analysis is of the mix
    separate(SeparationRequest(bundle, bundle=bundle, choice=choice), lambda *_: None)
    assert read_bundle(bundle).track.separation.preview is None
    assert len(stem_names(bundle)) == 4


def test_a_preview_outside_the_track_is_not_in_a_manifest(tmp_path):
    sounds = {"vocals": np.zeros((480, 2), np.float32), "other": np.zeros((480, 2), np.float32)}
    bundle = bundle_of(tmp_path, sounds, bpm=None)
    text = (bundle / "track.json").read_text()
    for span in ("[0, 481]", "[480, 480]", "[-1, 5]", "[5, 5]", "[1]", '"all"'):
        made = f'{{"engine": "e", "model": "", "version": "", "preview": {span}}}'
        with pytest.raises(MediaError):
            parse_track(text.replace('"separation": null', f'"separation": {made}').encode())
    assert Separation("e", "", "").preview is None
