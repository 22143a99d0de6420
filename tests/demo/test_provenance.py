"""A rendered file says what it was rendered by."""

import json
import re

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sfa_engine.cli.main import main
from sfa_engine.host import build
from sfa_engine.script.render import FORMATS, NO_COMMENT, write_wav

RATE = 48_000


@pytest.mark.parametrize("ending", FORMATS)
def test_a_comment_is_kept_where_the_format_has_a_place_for_it(tmp_path, ending):
    target = tmp_path / f"mix{ending}"
    sound = np.full((100, 2), 0.5, np.float32)
    write_wav(target, iter([sound]), RATE, 100, comment="kernel 0123")
    with soundfile.SoundFile(target) as file:
        assert file.comment == ("" if ending in NO_COMMENT else "kernel 0123")
        assert (file.read() == 0.5).all()


def test_the_name_of_the_kernel_does_not_depend_on_the_cpu(monkeypatch):
    kernel, code = build.source_digest(), build.digest()
    monkeypatch.setattr(build.llvm, "get_host_cpu_features", build.llvm.FeatureMap)
    assert build.source_digest() == kernel
    assert build.digest() != code


@pytest.mark.slow
def test_render_writes_kernel_and_cpu_into_the_file_and_prints_them(tmp_path):
    script = tmp_path / "set.mix"
    script.write_text("0.1 set crossfader 10\n0.2 end\n")
    target = tmp_path / "set.wav"
    run = CliRunner().invoke(main, ["render", str(script), "-o", str(target), "--json", "--quiet"])
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    assert {key: said[key] for key in build.provenance()} == build.provenance()
    assert re.fullmatch("[0-9a-f]{16}", said["kernel"])
    assert said["frames"] == soundfile.info(target).frames == 9600
    with soundfile.SoundFile(target) as file:
        for what in build.provenance().values():
            assert what in file.comment
