"""The demo where there is no sound device: a file, and a picture if matplotlib is installed."""

from functools import partial

import pytest
import soundfile

from sfa_engine.cli import demo_mix
from sfa_engine.demo.long_demo import Watch
from sfa_engine.errors import Refused
from sfa_engine.script.script import parse_script


def test_without_matplotlib_the_sound_is_rendered_and_one_line_says_how_to_get_the_picture(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(demo_mix, "find_spec", lambda _: None)
    script = parse_script("0.5 end")
    draw = partial(demo_mix._draw_mix, script)
    demo_mix._render(script, tmp_path / "mix.wav", draw, quiet=True)
    assert soundfile.info(tmp_path / "mix.wav").frames == 24_000
    assert not (tmp_path / "mix.png").exists()
    said = capsys.readouterr()
    assert said.err == "for a picture of the mix: pip install 'sfa-engine[demo]'\n"
    assert "mix.wav: 0 s" in said.out


def test_the_long_demo_takes_no_tracks_and_says_what_does(tmp_path):
    with pytest.raises(Refused, match="written for tracks of its own") as refusal:
        demo_mix.run_long_demo([tmp_path, tmp_path], None, None, quiet=True)
    assert "sfa demo TRACK TRACK" in refusal.value.hint


def test_a_set_is_drawn_beside_its_sound(tmp_path):
    script, watch = parse_script("0 mark Begin\n0.5 end"), Watch()
    draw = partial(demo_mix._draw_set, script, watch)
    demo_mix._render(script, tmp_path / "set.wav", draw, watch, quiet=True)
    assert (tmp_path / "set.png").stat().st_size > 10_000
