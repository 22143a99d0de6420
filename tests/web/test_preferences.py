"""A user's settings, over real HTTP: what they change for that user's preparations, and keys."""

from __future__ import annotations

import importlib
import stat
import sys
from pathlib import Path

import pytest
from house import song
from served import run_site
from shop import open_shop

from sfa_engine.library.account_secrets import AccountSecrets
from sfa_engine.library.secret import Secrets
from sfa_engine.web.preferences import Stored, read, write

SETTINGS = "/api/me/settings"


@pytest.fixture(scope="module")
def cloud():
    sys.path.insert(0, str(Path(__file__).parents[1] / "prep" / "separate"))
    fake = importlib.import_module("fake_lalalai")
    with fake.FakeLalalai() as lent:
        lent.key = fake.LICENCE
        yield lent


@pytest.fixture(scope="module")
def shop(tmp_path_factory, cloud):
    config = f'[separation]\nlalalai_url = "{cloud.url}"\nengine = "none"\n'
    with open_shop(tmp_path_factory.mktemp("shop"), config) as lent:
        yield lent


def change(shop, name, **changes):
    headers = {"Authorization": f"Bearer {shop.tokens[name]}"}
    with shop.web.client(headers=headers) as client:
        return client.patch(SETTINGS, json=changes)


def shown(shop, name):
    headers = {"Authorization": f"Bearer {shop.tokens[name]}"}
    with shop.web.client(headers=headers) as client:
        answer = client.get(SETTINGS)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.slow
def test_settings_are_each_users_own(shop):
    empty = {
        "engine": None,
        "model": None,
        "quality": None,
        "debug": False,
        "keys": {"lalalai": False},
        "spotify": {"logged_in": False},
    }
    assert shown(shop, "user") == empty
    answer = change(shop, "user", engine="sketch", quality="128k", debug=True)
    assert answer.status_code == 200
    assert answer.json() == {**empty, "engine": "sketch", "quality": "128k", "debug": True}
    assert shown(shop, "user") == answer.json()
    assert shown(shop, "eve") == empty
    assert change(shop, "user", engine=None, quality="", debug=False).json() == empty


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"engine": "demuks"}, 'no engine "demuks"'),
        ({"quality": "64k"}, 'no quality "64k"'),
        ({"speed": 2}, 'the body takes no "speed"'),
        ({"debug": "yes"}, "debug is not valid"),
        ({"keys": {"spotify": "x"}}, 'keys takes no "spotify"'),
        ({"keys": {"lalalai": ""}}, "keys.lalalai is not valid"),
    ],
)
def test_an_invalid_setting_is_refused_and_none_is_stored(shop, changes, detail):
    before = shown(shop, "user")
    answer = change(shop, "user", **{"model": "x", **changes})
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)
    assert shown(shop, "user") == before


@pytest.mark.slow
def test_settings_are_used_where_a_request_leaves_them_out(shop):
    change(shop, "user", engine="sketch", model="m", quality="128k")
    link = "https://www.youtube.com/watch?v="

    def options(name, number, **params):
        added = shop.ask(name, "prep.add", {"sources": [f"{link}{number}"], **params}).json()
        (job,) = added["jobs"]
        said = shop.client.call("jobs.show", job=job)["args"]["options"]
        shop.client.call("jobs.cancel", jobs=[job])
        return said["engine"], said["model"], said["quality"]

    assert options("user", 1) == ("sketch", "m", "128k")
    assert options("user", 2, quality="best") == ("sketch", "m", "best")
    assert options("user", 3, engine="none") == ("none", "", "128k")
    assert options("eve", 4) == ("", "", "")
    change(shop, "user", engine=None, model=None, quality=None)
    shop.client.call("jobs.cancel", everything=True)


@pytest.mark.slow
def test_a_key_is_encrypted_and_never_shown(shop, cloud):
    answer = change(shop, "user", keys={"lalalai": cloud.key})
    assert answer.json()["keys"] == {"lalalai": True}
    assert cloud.key not in answer.text
    assert shown(shop, "eve")["keys"] == {"lalalai": False}
    for file in (*shop.house.data.glob("secret*"), *shop.data.iterdir()):
        if file.is_file():
            assert cloud.key.encode() not in file.read_bytes(), file
    for file in shop.house.data.glob("secret*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets = Secrets(shop.house.data)
    assert AccountSecrets(secrets, shop.numbers["user"]).get("lalalai") == cloud.key
    assert secrets.get("lalalai") is None


@pytest.mark.slow
def test_a_key_is_used_for_its_account_alone(shop, cloud):
    change(shop, "user", keys={"lalalai": cloud.key})
    quota = shop.ask("user", "prep.quota")
    assert (quota.status_code, quota.json()["left_min"]) == (200, 90.0)
    other = shop.ask("eve", "prep.quota")
    assert other.status_code == 422
    assert "no licence key" in other.json()["detail"]
    change(shop, "user", keys={"lalalai": None})
    assert shop.ask("user", "prep.quota").status_code == 422


@pytest.mark.slow
def test_a_separation_uses_the_key_of_its_account(shop, cloud, tmp_path):
    change(shop, "user", keys={"lalalai": cloud.key}, engine="lalalai", model="vocals")
    tracks = {
        name: shop.prepare(name, song(tmp_path / f"{name}.wav", seconds=2.0, seed=90 + seed))[0]
        for seed, name in enumerate(("user", "eve"))
    }
    shop.wait_idle()
    uploads = len(cloud.files)
    added = shop.ask("user", "prep.separate", {"track": tracks["user"]})
    assert added.status_code == 200
    refused = shop.ask("eve", "prep.separate", {"track": tracks["eve"], "engine": "lalalai"})
    shop.wait_idle()
    jobs = shop.client.call("jobs.list", batch=added.json()["batch"])["jobs"]
    assert {each["kind"]: each["state"] for each in jobs}["separate"] == "done"
    assert len(cloud.files) == uploads + 1
    shown_stems = shop.ask("user", "library.show", {"track": tracks["user"]}).json()["stems"]
    assert set(shown_stems) == {"vocals", "other"}
    (failed,) = (
        each
        for each in shop.client.call("jobs.list", batch=refused.json()["batch"])["jobs"]
        if each["kind"] == "separate"
    )
    assert failed["state"] == "failed"
    assert "no licence key" in failed["error"]["message"]
    assert cloud.key not in shop.house.log
    change(shop, "user", keys={"lalalai": None}, engine=None, model=None)


def test_settings_go_with_their_user(tmp_path):
    async def scenario(site):
        site.user("ann", "user")
        (number,) = site.service.gate._database.reader.execute("SELECT id FROM users").fetchone()
        site.write(write, number, {"engine": "none", "debug": True})
        assert site.write(read, number) == Stored(engine="none", debug=True)
        site.write(lambda c: c.execute("DELETE FROM users"))
        assert site.write(read, number) == Stored()

    run_site(scenario, tmp_path)
