"""`sfa fx`: patches without an engine, and what is refused."""

import ast

import pytest
from click.testing import CliRunner

from sfa_engine.cli.fx import _examples
from sfa_engine.cli.main import main


@pytest.fixture
def sfa(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("SFA_RUNTIME", str(tmp_path / "run"))

    def run(*words):
        return CliRunner().invoke(main, ["fx", *words], prog_name="sfa")

    return run


def test_a_new_patch_is_an_example_to_begin_with(sfa, tmp_path):
    made = sfa("new", "my-effect", "--like", "shimmer")
    assert made.exit_code == 0
    path = tmp_path / "sfa" / "patches" / "my-effect.py"
    assert made.output.strip() == str(path)
    assert path.read_text() == _examples()["shimmer"].read_text()
    again = sfa("new", "my-effect")
    assert again.exit_code == 1
    assert "exists" in again.output
    assert str(path) in sfa("patches").output


@pytest.mark.parametrize("name", ["../x", "A", "x y", ""])
def test_what_cannot_be_a_patch_is_refused(sfa, name):
    refused = sfa("new", name)
    assert refused.exit_code != 0
    assert "Traceback" not in refused.output


def test_an_example_that_is_not_there_is_refused_with_the_nearest(sfa):
    refused = sfa("new", "x", "--like", "shimer")
    assert refused.exit_code == 1
    assert 'did you mean "shimmer"' in refused.output


def test_without_an_engine_loading_says_so(sfa):
    refused = sfa("load", "dub")
    assert refused.exit_code == 1
    assert "start it with `sfa start`" in refused.output


def test_examples_say_what_they_are_and_have_one_function():
    assert len(_examples()) >= 3
    for path in _examples().values():
        module = ast.parse(path.read_text())
        assert "Knobs:" in (ast.get_docstring(module) or "")
        names = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        assert len(names & {"effect", "process"}) == 1
