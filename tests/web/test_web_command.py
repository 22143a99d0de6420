"""`sfa web`: the first user, users, tokens."""

import json
from contextlib import closing

import pytest
from click.testing import CliRunner

from sfa_engine.cli.main import main
from sfa_engine.web import secrets, users
from sfa_engine.web.database import FILE, open_database, transaction


@pytest.fixture
def sfa(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SFA_RUNTIME", str(tmp_path / "run"))
    monkeypatch.setenv("SFA_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("[web]\nport = 9000\n")

    def run(*words):
        done = CliRunner().invoke(main, ["web", *words])
        return done.exit_code, done.output

    return run


@pytest.fixture
def accounts(tmp_path):
    def call(function, *arguments):
        with (
            closing(open_database(tmp_path / "data" / "sfa" / FILE)) as connection,
            transaction(connection),
        ):
            return function(connection, *arguments)

    return call


def secret_in(output):
    return output.partition("/welcome#")[2].split()[0]


def test_the_first_link_is_printed_until_there_is_a_user(sfa, accounts):
    code, output = sfa()
    assert code == 0
    assert "http://127.0.0.1:9000/welcome#" in output
    accounts(secrets.use_link, secret_in(output), "ann", "hash")
    code, output = sfa()
    assert "welcome" not in output
    assert "http://127.0.0.1:9000" in output
    assert json.loads(sfa("--json")[1])["link"] is None


def test_users_are_invited_changed_and_listed(sfa, accounts):
    accounts(secrets.use_link, secret_in(sfa()[1]), "ann", "hash")
    code, output = sfa("user", "add", "bob", "--role", "moderator")
    assert code == 0
    accounts(secrets.use_link, secret_in(output), "", "hash")
    assert sfa("user", "role", "bob", "user")[1] == "bob is a user\n"
    assert sfa("user", "role", "bob", "admin")[1] == "bob is an admin\n"
    assert sfa("user", "suspend", "bob")[0] == 0
    listed = json.loads(sfa("user", "list", "--json")[1])
    assert [(u["name"], u["role"], u["state"]) for u in listed] == [
        ("ann", "super_admin", "active"),
        ("bob", "admin", "suspended"),
    ]
    assert sfa("user", "restore", "bob")[0] == 0
    assert "bob   admin        active" in sfa("user", "list")[1]
    old = secret_in(sfa("user", "reset", "bob")[1])
    assert accounts(secrets.link_user, old)[0]


def test_several_users_are_suspended_or_none(sfa, accounts):
    accounts(secrets.use_link, secret_in(sfa()[1]), "ann", "hash")
    for name in ("bob", "eve"):
        sfa("user", "add", name)

    def suspended():
        listed = json.loads(sfa("user", "list", "--json")[1])
        return {each["name"] for each in listed if each["state"] == "suspended"}

    assert sfa("user", "suspend", "bob", "nobody")[0] == 1
    assert suspended() == set()
    code, output = sfa("user", "suspend", "bob", "eve")
    assert (code, len(output.splitlines())) == (0, 2)
    assert suspended() == {"bob", "eve"}
    assert sfa("user", "restore", "bob", "eve")[0] == 0
    assert suspended() == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("user", "add", "ann"), "there is a user"),
        (("user", "add", "a b"), "the name is"),
        (("user", "role", "nobody", "user"), 'no user "nobody"'),
        (("user", "role", "ann", "user"), "last super_admin"),
        (("user", "suspend", "ann"), "last super_admin"),
        (("user", "reset", "nobody"), 'no user "nobody"'),
        (("token", "add", "ann", "lamp", "--scope", "fly"), 'no scope "fly"'),
        (("token", "delete", "ann", "x"), "has no token"),
    ],
)
def test_mistakes_are_one_line(sfa, accounts, words, said):
    accounts(secrets.use_link, secret_in(sfa()[1]), "ann", "hash")
    code, output = sfa(*words)
    assert code == 1
    assert said in output
    assert len(output.strip().splitlines()) == 1


def test_a_token_is_printed_once(sfa, accounts):
    accounts(secrets.use_link, secret_in(sfa()[1]), "ann", "hash")
    code, output = sfa("token", "add", "ann", "lamp", "--scope", "read", "--days", "3")
    assert code == 0
    actor, _ = accounts(secrets.actor_of_token, output.strip())
    assert (actor.name, actor.scopes) == ("ann", {"read"})
    listed = json.loads(sfa("token", "list", "ann", "--json")[1])
    assert listed[0]["name"] == "lamp"
    assert output.strip() not in str(listed)
    assert "lamp" in sfa("token", "list", "ann")[1]
    assert sfa("token", "delete", "ann", listed[0]["id"])[0] == 0
    assert accounts(users.get, "ann").name == "ann"
    assert accounts(secrets.actor_of_token, output.strip()) is None
