"""The list of models: what is known, what is unknown, and the user's file."""

from __future__ import annotations

from datetime import date

import pytest

from sfa_engine.agents.llm.message import Usage
from sfa_engine.agents.llm.provider import ADAPTERS
from sfa_engine.agents.llm.registry import Model, Registry
from sfa_engine.errors import Refused

TODAY = date(2026, 12, 1)


def load(tmp_path, text):
    path = tmp_path / "models.toml"
    path.write_text(text)
    return Registry.load(path)


def test_the_list_of_the_package_is_valid():
    registry = Registry.load()
    for adapter in ADAPTERS:
        for model in registry.of(adapter):
            assert model.context
            assert model.quality
            assert model.speed
            assert (model.input is None) is (model.output is None)
    assert registry.of("anthropic")[0].name == "claude-sonnet-5"
    assert registry.of("ollama") == []


def test_a_name_is_found_with_and_without_its_date():
    registry = Registry.load()
    for name in ("claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-haiku-4-5-latest"):
        assert registry.find("anthropic", name).input == 1.0
    assert registry.find("openai", "gpt-5-2025-08-07").input == 1.25
    assert registry.find("azure_openai", "gpt-5") == Model("azure_openai", "gpt-5")
    assert registry.find("anthropic", "claude-99") == Model("anthropic", "claude-99")


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        (Model("x", "m", input=2.0, output=10.0), Usage(1000, 100), 0.003),
        (Model("x", "m", input=2.0, output=10.0), Usage(0, 0), 0.0),
        (Model("x", "m"), Usage(1000, 100), None),
        (Model("x", "m", input=2.0), Usage(1000, 100), None),
        (Model("x", "m", input=2.0, output=10.0), Usage(None, 100), None),
        (Model("x", "m", input=2.0, output=10.0), Usage(1000, None), None),
        (Model("x", "m", input=2.0, output=10.0), Usage(1000, 100, cached=10), None),
        (Model("x", "m", input=2.0, output=0.0, cached=1.0), Usage(1000, 0, 500), 0.0015),
        (Model("x", "m", input=0.0, output=0.0), Usage(1000, 100), 0.0),
        (Model("x", "m", input=1.0, output=1.0, until=TODAY), Usage(1000, 0), 0.001),
        (Model("x", "m", input=1.0, output=1.0, until=date(2026, 11, 30)), Usage(1, 1), None),
        (
            Model("x", "m", input=1.0, output=1.0, long_from=100, long_input=2.0, long_output=3.0),
            Usage(1000, 100),
            0.0023,
        ),
        (Model("x", "m", input=1.0, output=1.0, long_from=100), Usage(1000, 100), None),
    ],
)
def test_a_cost_is_known_or_unknown_and_never_zero_for_unknown(model, usage, cost):
    found = model.cost_usd(usage, TODAY)
    assert found == (None if cost is None else pytest.approx(cost))


def test_the_users_file_changes_keys_and_adds_models(tmp_path):
    registry = load(
        tmp_path,
        '[[model]]\nprovider = "anthropic"\nname = "claude-sonnet-5"\ninput = 1.5\n'
        '[[model]]\nprovider = "azure_openai"\nname = "mine"\nquality = 5\n',
    )
    model = registry.find("anthropic", "claude-sonnet-5")
    assert (model.input, model.output, model.context) == (1.5, 10.0, 1_000_000)
    assert registry.find("azure_openai", "mine").quality == 5
    assert Registry.load(tmp_path / "none.toml").find("openai", "gpt-5").output == 10.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[model]", "is not TOML"),
        ("\x00", "is not TOML"),
        ("x = 1", 'no table "x"'),
        ("model = 3", "model is not a list of tables"),
        ("[[model]]\nprovider = 'openai'", "a model has no name"),
        (
            "[[model]]\nprovider = 'openia'\nname = 'x'",
            'no provider "openia"; did you mean "openai"',
        ),
        ("[[model]]\nprovider = 'openai'\nname = 'x'\npriec = 1", 'no key "priec"'),
        ("[[model]]\nprovider = 'openai'\nname = 'x'\ninput = -1", 'model "x"'),
        ("[[model]]\nprovider = 'openai'\nname = 'x'\ninput = 'free'", 'model "x"'),
        ("[[model]]\nprovider = 'openai'\nname = 'x'\nquality = 6", 'model "x"'),
        ("[[model]]\nprovider = 'openai'\nname = 'x'\ninput = nan", 'model "x"'),
    ],
)
def test_what_is_wrong_in_the_users_file_is_said_in_a_line(tmp_path, text, message):
    with pytest.raises(Refused) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "models.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_readable_is_said(tmp_path):
    (tmp_path / "models.toml").mkdir()
    with pytest.raises(Refused, match="Is a directory"):
        Registry.load(tmp_path / "models.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(Refused, match="more than 1 MB"):
        Registry.load(tmp_path / "large.toml")
