"""``prep.models``, ``prep.cancel`` and ``library.files``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from house import House, prep_context, prepared, song

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import Kind, Plan
from sfa_engine.backstage.settings import SeparationConfig
from sfa_engine.backstage.steps.plans import PrepOptions
from sfa_engine.backstage.verbs.separations import SeparationVerbs
from sfa_engine.errors import Refused
from sfa_engine.prep.options import ENGINES
from sfa_engine.prep.separate.survey import engines
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.rights import Actor
from sfa_engine.wire.verbs import SCOPES

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)


def separation(engine: str = "", model: str = "") -> Plan:
    return Plan(Kind.SEPARATE, PrepOptions(engine, model).to_args())


@pytest.mark.parametrize(
    ("usual", "cancelled"),
    [("auto", [0, 1]), ("lalalai", [0, 1, 3])],
)
def test_all_separations_by_a_service_are_cancelled(
    tmp_path: Path, usual: str, cancelled: list[int]
) -> None:
    plans = [
        separation("lalalai"),
        separation("auto", "lalalai:vocals,drums"),
        separation("sketch"),
        separation(),
        Plan(Kind.ANALYSE, PrepOptions("lalalai").to_args()),
    ]

    async def main() -> None:
        async with prep_context(tmp_path) as lent:
            config = SeparationConfig(engine=usual)
            settings = replace(lent.settings, separation=config)
            context = replace(lent, settings=settings)
            async with context.database.transaction(durable=False) as connection:
                jobs = [(await context.queue.add_chain(connection, [plan]))[0] for plan in plans]
            verbs = SeparationVerbs(context, Dispatcher(context.queue, {}, {}))
            found = await verbs.prep_cancel("lalalai")
            assert found == {"count": len(cancelled), "jobs": [jobs[each] for each in cancelled]}
            assert await context.queue.numbers(["waiting"]) == [
                job for number, job in enumerate(jobs) if number not in cancelled
            ]
            assert (await verbs.prep_cancel("lalalai"))["count"] == 0

    asyncio.run(main())


def test_a_separation_that_another_account_waits_for_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path) as context:
            plan = Plan(Kind.SEPARATE, PrepOptions("lalalai").to_args(), unique="separate:1")
            for account in (7, 8):
                async with context.database.transaction() as connection:
                    (job,) = await context.queue.add_chain(connection, [plan], account=account)
            verbs = SeparationVerbs(context, Dispatcher(context.queue, {}, {}))
            ann, bob = (Actor(account, "user", SCOPES) for account in (7, 8))
            assert (await verbs.prep_cancel("lalalai", actor=ann))["jobs"] == []
            assert (await context.queue.get(job)).accounts == (8,)
            assert (await verbs.prep_cancel("lalalai", actor=bob))["jobs"] == [job]

    asyncio.run(main())


def test_the_engines_say_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("SFA_LALALAI_KEY", raising=False)
    found = {each.name: each for each in engines(tmp_path / "models")}
    assert set(found) == set(ENGINES) - {"auto"}
    assert found["sketch"].ready
    assert not found["lalalai"].ready
    assert "sfa secret set lalalai" in found["lalalai"].missing
    assert all(each.ready is not bool(each.missing) for each in found.values())
    assert not any(model.ready for model in found["demucs"].models)
    monkeypatch.setenv("SFA_LALALAI_KEY", "key")
    ready = {each.name: each.ready for each in engines(tmp_path / "models")}
    assert ready["lalalai"]


@pytest.mark.slow
def test_a_track_names_its_files(client: SocketClient, here: House, tmp_path: Path) -> None:
    done = prepared(client, song(tmp_path / "a.wav", seconds=4.0))
    (track,) = (each["id"] for each in done["tracks"])
    found = client.call("library.files", track=track)
    names = [each["name"] for each in found["files"]]
    assert names == ["mix", "manifest", "curves"]
    for each in found["files"]:
        assert each["folder"] == str(here.bundles)
        assert (here.bundles / each["path"]).is_file()
    (here.bundles / found["files"][0]["path"]).with_name("cover.png").write_bytes(PICTURE)
    cover = client.call("library.files", track=f"#{track}")["files"][-1]
    assert cover["name"] == "cover"
    assert cover["path"].endswith(".sfa/cover.png")
    with pytest.raises(Refused):
        client.call("library.files", track=999)
    assert client.call("prep.models")["usual"]["engine"] == "auto"
