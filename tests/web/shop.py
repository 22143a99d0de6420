"""A backstage and a web process of its own, with accounts, for the tests here."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing, contextmanager

from house import House
from served import PASSWORD, WebProcess

from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.web import password, secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.link import Link
from sfa_engine.web.rights import SCOPES_OF, STORED, SYSTEM, Actor

TIMEOUT_S = 120.0


class Shop:
    """A backstage and a web process, with an account for each role and one more user."""

    def __init__(self, folder, config=""):
        self.house = House(folder / "house")
        self.house.configure(config)
        self.client = self.house.start()
        self.data = folder / "web"
        self.data.mkdir()
        self.numbers = {}
        self.tokens = {}
        hashed = password.hashed(PASSWORD)
        with closing(open_database(self.data / FILE)) as connection, transaction(connection):
            for name, role in (*((role, role) for role in STORED), ("eve", "user")):
                made = users.add(connection, SYSTEM, name, role)
                users.set_password(connection, made.id, hashed)
                self.numbers[name] = made.id
                self.tokens[name] = secrets.add_token(connection, made, "t", SCOPES_OF[role], None)[
                    0
                ]
        self.web = WebProcess(self.house.runtime, self.data).start()
        give_up = time.monotonic() + TIMEOUT_S
        while self.ask("eve", "library.trash").status_code != 200:
            assert time.monotonic() < give_up
            time.sleep(0.05)

    def ask(self, name, verb, params=None):
        """Send a verb as an account; again when it meets a rate."""
        (described,) = (one for one in self.described if one["name"] == verb)
        path = f"/api/{verb.replace('.', '/')}"
        scopes = {described["scope"], *(p.get("scope", "read") for p in described["params"])}
        headers = {"Authorization": f"Bearer {self.tokens[name]}"}
        with self.web.client(headers=headers) as client:
            while True:
                if scopes == {"read"}:
                    answer = client.get(path, params=params)
                else:
                    answer = client.post(path, json=params or {})
                if answer.status_code != 429:
                    return answer
                time.sleep(float(answer.headers["retry-after"]))

    @property
    def described(self):
        if not hasattr(self, "_described"):
            self._described = self.client.call("describe")["verbs"]
        return self._described

    def actor(self, name):
        role = "user" if name == "eve" else name
        return Actor(self.numbers[name], role, SCOPES_OF[role], name=name)

    def call(self, name, verb, **params):
        """Send a verb to backstage for an account, as the web process does."""

        async def main():
            link = Link(self.house.runtime / BACKSTAGE_SOCKET, "backstage")
            try:
                return await link.call(verb, params, actor=self.actor(name))
            finally:
                await link.close()

        return self.client.call(verb, **params) if name is None else asyncio.run(main())

    def prepare(self, name, path):
        """Import a file for an account, or for the machine; return the track and its job."""
        added = self.call(name, "prep.add", sources=[str(path)], engine="none")
        (job,) = added["jobs"]
        give_up = time.monotonic() + TIMEOUT_S
        while (found := self.client.call("jobs.show", job=job))["state"] != "done":
            assert found["state"] in {"waiting", "running"}, found
            assert time.monotonic() < give_up
            time.sleep(0.05)
        return found["track"], job

    def wait_idle(self):
        give_up = time.monotonic() + TIMEOUT_S
        while any(self.client.call("jobs.list")["counts"][s] for s in ("waiting", "running")):
            assert time.monotonic() < give_up
            time.sleep(0.05)

    def close(self):
        self.web.stop()
        self.client.close()
        self.house.close()


@contextmanager
def open_shop(folder, config=""):
    """Lend a shop."""
    lent = Shop(folder, config)
    try:
        yield lent
    finally:
        lent.close()
