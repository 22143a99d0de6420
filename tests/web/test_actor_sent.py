"""The account of a request goes on to the engine and backstage; nothing that is sent changes it."""

from served import SYSTEM, run_site

from sfa_engine.web.users import get
from sfa_engine.wire.verbs import Verb, verb


class Verbs:
    """Two verbs, as a server describes them."""

    @verb(scope="read")
    def library_trash(self, offset: int = 0) -> None:
        """Read."""

    @verb(scope="library")
    def library_restore(self, track: int) -> None:
        """Change."""


DESCRIBED = [
    Verb(name, function).describe()
    for name, function in (
        ("library.trash", Verbs.library_trash),
        ("library.restore", Verbs.library_restore),
    )
]


def test_a_request_goes_on_for_its_account(tmp_path):
    async def scenario(site):
        for role in ("user", "admin"):
            token = site.user(f"ann-{role}", role)
            async with site.client(token, address="127.0.0.9") as client:
                assert (await client.get("/api/library/trash")).status_code == 200
            number = site.write(get, f"ann-{role}").id
            actor = site.echo.actors[-1]
            assert actor.to_wire() == {
                "account": number,
                "name": f"ann-{role}",
                "role": role,
                "address": "127.0.0.9",
            }
            assert "read" in actor.scopes

    run_site(scenario, tmp_path, DESCRIBED)


def test_an_actor_in_the_body_is_only_an_unknown_parameter(tmp_path):
    async def scenario(site):
        body = {"track": 1, "actor": SYSTEM.to_wire()}
        async with site.client(site.user("ann", "admin")) as client:
            assert (await client.post("/api/library/restore", json=body)).status_code == 200
        assert site.echo.asked[-1] == ("library.restore", body)  # real servers refuse it
        assert site.echo.actors[-1].role == "admin"

    run_site(scenario, tmp_path, DESCRIBED)
