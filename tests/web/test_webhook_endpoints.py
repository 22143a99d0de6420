"""Webhooks over HTTP: for admins, with paths from what backstage describes."""

import time
from contextlib import closing

import pytest
from house import house
from served import HASH, web_process
from standardwebhooks import Webhook as Reader
from webhook_receiver import receiver

from sfa_engine.web import secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.rights import SCOPES_OF, SYSTEM

pytestmark = pytest.mark.slow


def token_of(folder, name, role):
    with closing(open_database(folder / FILE)) as connection, transaction(connection):
        made = users.add(connection, SYSTEM, name, role)
        users.set_password(connection, made.id, HASH)
        return secrets.add_token(connection, made, "tests", SCOPES_OF[role], None)[0]


def test_an_admin_adds_tests_and_removes_a_webhook_and_a_user_does_not(tmp_path):
    with house(tmp_path / "house") as here, receiver() as receiving:
        here.configure('[webhooks]\nallow = ["127.0.0.0/8"]\n')
        with here.start(), web_process(tmp_path, runtime=here.runtime) as web:
            admin, other = (token_of(tmp_path, *who) for who in (("ann", "admin"), ("bob", "user")))

            def post(name, token=admin, **body):
                with web.client(headers={"Authorization": f"Bearer {token}"}) as client:
                    return client.post(f"/api/webhooks/{name}", json=body)

            give_up = time.monotonic() + 60
            while post("list").status_code in {404, 503}:
                assert time.monotonic() < give_up
                time.sleep(0.05)
            assert post("list").json() == {"webhooks": []}
            for name in ("list", "add", "deliveries"):
                assert post(name, other, url=receiving.url).status_code == 403
            made = post("add", url=receiving.url, events=["track.analyzed"]).json()
            said = post("test", webhook=made["id"]).json()
            assert (said["status"], said["error"]) == (204, "")
            (message,) = receiving.messages
            Reader(made["secret"]).verify(message.body, message.headers)
            refused = post("add", url="http://10.1.2.3/")
            assert refused.status_code == 422
            assert "10.1.2.3 is not an address of the internet" in refused.json()["detail"]
            assert post("remove", webhook=made["id"]).json() == {"removed": receiving.url}
            with here.connect() as client:
                changes = client.call("audit.list", verb="webhooks", actor="ann")["changes"]
            assert [(each["verb"], each["outcome"][:7]) for each in changes] == [
                ("webhooks.remove", "ok"),
                ("webhooks.add", "refused"),
                ("webhooks.test", "ok"),
                ("webhooks.add", "ok"),
            ]
