"""``/api/controls``: every control, as pages draw it."""

from served import run_site

VERB = {"name": "health", "sentence": "", "scope": "read", "slow": False, "params": []}
PATH = "/api/controls"


def test_the_controls_are_those_of_the_engine_that_runs(tmp_path):
    async def scenario(site):
        async with site.client(site.user("eve", "user", ["read"])) as client:
            first = await client.get(PATH)
            assert first.json() == {"controls": [{"path": "crossfader", "kind": "fader"}]}
            assert first.headers["content-encoding"] == "gzip"
            site.echo.controls = [{"path": "crossfader", "kind": "fader", "digits": 1}]
            assert (await client.get(PATH)).json() == first.json()
            await site.service._own[0].close()  # as when the engine restarts
            again = await client.get(PATH)
            assert again.json() == {"controls": site.echo.controls}
            assert again.headers["etag"] != first.headers["etag"]

    run_site(scenario, tmp_path, [VERB])


def test_a_client_that_has_the_controls_is_sent_nothing(tmp_path):
    async def scenario(site):
        async with site.client(site.user("eve", "user", ["read"])) as client:
            first = await client.get(PATH)
            headers = {"If-None-Match": first.headers["etag"]}
            again = await client.get(PATH, headers=headers)
            assert (again.status_code, again.content) == (304, b"")
            plain = await client.get(PATH, headers={"Accept-Encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert plain.json() == first.json()

    run_site(scenario, tmp_path, [VERB])


def test_they_need_a_sign_in_and_an_engine(tmp_path):
    async def scenario(site):
        token = site.user("eve", "user", ["read"])
        async with site.client() as nobody:
            assert (await nobody.get(PATH)).status_code == 401
        async with site.client(token) as client:
            assert (await client.get(PATH)).status_code == 503

    run_site(scenario, tmp_path)
