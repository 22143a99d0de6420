"""`sfa llm`: providers, add, remove, test, models, usage; the key never on the command line."""

import json

import pytest
from fake_llm import KEY, MODEL, error, served

from sfa_engine.agents.settings import AgentsConfig
from sfa_engine.errors import Refused
from sfa_engine.run.config import load_config

pytestmark = pytest.mark.slow


def said(result):
    status, output, errors = result
    assert status == 0, errors
    return output


def test_a_provider_from_its_beginning_to_its_end(sfa, tmp_path):
    with served() as fake:
        url = f"{fake.url}/v1"
        given = ("llm", "add", "custom_openai", "--name", "rig", "--url", url, "--model", MODEL)
        output = said(sfa(*given, stdin=f"{KEY}\n"))
        assert output == "rig is stored; check it: sfa llm test rig\n"
        listed = said(sfa("llm", "providers"))
        assert listed.splitlines()[1].split() == [
            *("rig", "custom_openai", MODEL, "yes", "unknown", url)
        ]
        assert said(sfa("llm", "test", "rig")) == "rig: ready\n"
        assert said(sfa("llm", "test")) == "rig: ready\n"
        models = said(sfa("llm", "models", "rig")).splitlines()
        assert models[1].split() == [MODEL, "yes", *"???????"]
        assert json.loads(said(sfa("llm", "models", "rig", "--json")))[0]["input_usd"] is None
        fake.always = error("openai", 401, "invalid_api_key", f"wrong: {KEY}")
        status, output, errors = sfa("llm", "test", "rig")
        assert (status, errors) == (1, "")
        assert output == "rig: key refused: it answered 401: wrong: ***\n"
        assert sfa("llm", "usage") == (0, "", "nothing was asked\n")
        usage = json.loads(said(sfa("llm", "usage", "--json")))
        assert usage == {"usage": [], "usd_per_day": 0.0}
        said(sfa("llm", "remove", "rig", "--yes"))
        assert sfa("llm", "providers")[1:] == (
            "",
            "no provider; add one: sfa llm add anthropic\n",
        )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_key_comes_from_a_variable_or_is_missing(sfa):
    with served() as fake:
        add = ("llm", "add", "anthropic", "--url", fake.url)
        assert "is stored" in said(sfa(*add, "--key-env", "MY_KEY", MY_KEY=KEY))
        shown = json.loads(said(sfa("llm", "test", "--json")))
        assert [(each["name"], each["state"]) for each in shown] == [("anthropic", "ready")]
        assert sfa(*add, "--key-env", "NO_KEY") == (
            *(1, ""),
            "sfa: NO_KEY is not set; export it, or leave --key-env out\n",
        )
        status, _, errors = sfa("llm", "add", "openai", stdin="\n")
        assert (status, errors.partition(";")[0]) == (1, "sfa: openai needs a key")
        status, _, errors = sfa("llm", "add", "opnai", stdin=f"{KEY}\n")
        assert (status, errors) == (1, 'sfa: no adapter "opnai"; did you mean "openai"?\n')
        status, _, errors = sfa("llm", "add", "openai", KEY)
        assert status == 2
        status, _, errors = sfa("llm", "test", "none")
        assert (status, errors) == (1, 'sfa: no provider "none"; see `sfa llm providers`\n')


def test_the_users_list_of_models_and_the_configuration_are_read(sfa, tmp_path):
    (tmp_path / "models.toml").write_text('[[model]]\nprovider = "ollama"\nname = "x"\nspeed = 9\n')
    with served() as fake:
        said(sfa("llm", "add", "ollama", "--url", fake.url))
        status, _, errors = sfa("llm", "models", "ollama")
        assert (status, errors.count("\n")) == (1, 1)
        assert f'{tmp_path / "models.toml"}: model "x"' in errors
        (tmp_path / "models.toml").write_text(
            '[[model]]\nprovider = "ollama"\nname = "x"\nspeed = 5\n'
        )
        rows = said(sfa("llm", "models", "ollama")).splitlines()
        assert [row.split()[0] for row in rows[1:]] == ["x", MODEL]
        assert rows[2].split()[2] == "8192"
    path = tmp_path / "config.toml"
    path.write_text('[agents]\nprefer = "cost"\ntokens = 9000\nseconds = 30\nusd_per_day = 2\n')
    assert load_config(path).agents == AgentsConfig("cost", 9000, 30.0, 2.0)
    for wrong in ('prefer = "best"', "tokens = 9", "seconds = 0", "usd_per_day = -1", "key = 'x'"):
        path.write_text(f"[agents]\n{wrong}\n")
        with pytest.raises(Refused, match=r"agents\."):
            load_config(path)
