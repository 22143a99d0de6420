"""What the command line makes for pages: layouts, maps of controllers; and QR codes."""

import re

import pytest
from served import run_site

from sfa_engine.surfaces import touchosc
from sfa_engine.web.made_files import TABLETS

VERB = {"name": "health", "sentence": "", "scope": "read", "slow": False, "params": []}


def test_the_tablets_are_those_of_the_generator():
    assert tuple(touchosc.TABLETS) == TABLETS


@pytest.mark.slow
def test_a_tablet_gets_its_layout_without_a_sign_in(tmp_path):
    async def scenario(site):
        site.user("eve", "user", ["read"])
        async with site.client() as tablet:
            found = await tablet.get("/export/touchosc/phone.tosc?format=6")
            assert found.status_code == 200, found.text
            assert found.content == touchosc.layout(tablet="phone", version=6)
            assert "sfa-phone.tosc" in found.headers["content-disposition"]
            assert (await tablet.get("/export/touchosc/wall.tosc")).status_code == 404
            assert (await tablet.get("/export/touchosc/ipad?format=9")).status_code == 422

    run_site(scenario, tmp_path, [VERB])


@pytest.mark.slow
def test_a_map_is_a_table_and_a_picture(tmp_path):
    async def scenario(site):
        async with site.client() as nobody:
            assert (await nobody.get("/api/maps/generic-midi")).status_code in {401, 403}
        async with site.client(site.user("eve", "user", ["read"])) as client:
            found = (await client.get("/api/maps/ddj-400")).json()
            assert any(
                line["control"] == "deck{focus}.play" or line["control"] == "deck1.play"
                for row in found["controls"]
                for line in row["does"]
            )
            picture = await client.get("/export/map/ddj-400")
            assert picture.headers["content-type"] == "image/svg+xml"
            assert picture.text.startswith("<svg")
            assert (await client.get("/api/maps/no-such")).status_code == 404
            assert (await client.get("/api/maps/..%2Fsecret")).status_code == 404

    run_site(scenario, tmp_path, [VERB])


def test_a_qr_code_is_a_picture_of_a_text_of_the_body(tmp_path):
    async def scenario(site):
        async with site.client(site.user("eve", "user", ["read"])) as client:
            link = "http://192.168.1.7:8952/welcome#a-secret"
            found = await client.post("/api/qr", json={"text": link})
            assert found.status_code == 200, found.text
            assert re.match(r"<svg[ >]", found.text)
            assert (await client.post("/api/qr", json={"text": ""})).status_code == 422
            assert (await client.post("/api/qr", json={"text": "x" * 1001})).status_code == 422

    run_site(scenario, tmp_path, [VERB])
