"""The demo where there is no sound device: a file, and a picture if matplotlib is installed."""

from functools import partial

import soundfile

from sfa_engine.cli import demo_mix
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
