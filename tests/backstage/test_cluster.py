"""Orders on a real Dask cluster of two worker processes, one of which is killed midway."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from sfa_engine.backstage.cluster import Cluster
from sfa_engine.backstage.executor import Remote
from sfa_engine.backstage.runner import WorkerRequest
from sfa_engine.errors import MediaError, WorkerError
from sfa_engine.system.atomic import clean_leftovers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

HEAD = """
import json, os, sys, time
request = json.loads(sys.stdin.readline())
def say(**message): print(json.dumps(message), flush=True)
"""
COPY = """
say(progress=0.5, doing="copying")
text = open(request["path"]).read()
os.mkdir(request["out"])
open(request["out"] + "/copy.txt", "w").write(text.upper())
say(result={"length": len(text), "pid": os.getppid()})
"""
WAIT_ONCE = """
say(progress=0.1, doing=str(os.getppid()))
try:
    open(request["first"], "x")
except FileExistsError:
    pass
else:
    time.sleep(60)
"""


def two_workers(shared: Path) -> LocalCluster:
    """Return two worker processes and their scheduler; they are started by the one who asks."""
    return LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        processes=True,
        asynchronous=True,
        dashboard_address="127.0.0.1:0",  # any port: another cluster may have the usual one
        host="127.0.0.1",
        local_directory=str(shared.with_name("scratch")),
    )


@asynccontextmanager
async def cluster(shared: Path) -> AsyncIterator[Cluster]:
    """Lend a cluster of two worker processes."""
    async with two_workers(shared) as here:
        sent = await Cluster.connect(here.scheduler_address, str(shared), insecure=True)
        try:
            yield sent
        finally:
            await sent.close()


def order(body: str, tmp_path: Path, name: str = "one", **request: Any) -> WorkerRequest:
    source = tmp_path / "song.txt"
    source.write_text("la la la")
    given = {"path": str(source), "out": str(tmp_path / "made"), **request}
    mark = f"{name}-{uuid.uuid4()}"  # whoever has the same is ended with it
    return WorkerRequest(("-c", HEAD + textwrap.dedent(body)), given, mark, 60.0, ("path",), "out")


def shared_is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def test_an_order_is_carried_out_elsewhere_and_its_output_comes_home(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "made").mkdir()  # an older one, which is to go
    (tmp_path / "made" / "old.txt").write_text("old")
    said: list[tuple[float, str]] = []

    async def main() -> dict[str, Any]:
        async with cluster(shared) as here:
            return await here.run(order(COPY, tmp_path), lambda *news: said.append(news))

    result = asyncio.run(main())
    assert result["length"] == 8
    assert result["pid"] != os.getpid()
    assert (tmp_path / "made" / "copy.txt").read_text() == "LA LA LA"
    assert not (tmp_path / "made" / "old.txt").exists()
    assert said == [(0.5, "copying")]
    assert shared_is_empty(shared)


def test_names_with_the_signs_of_patterns_travel_as_they_are(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    song = tmp_path / "Song [Live] *?.sfa"
    (song / "[deep]").mkdir(parents=True)
    for name in ("voc*ls?.wav", "[deep]/drums.wav", "vocals!.wav"):
        (song / name).write_text(name)
    made = tmp_path / "Made [Live] *?.sfa"
    body = """
        import shutil
        shutil.copytree(request["path"], request["out"])
        say(result={"path": request["path"]})
    """

    async def main() -> dict[str, Any]:
        async with cluster(shared) as here:
            asked = order(body, tmp_path, path=str(song), out=str(made))
            return await here.run(asked, lambda *_: None)

    assert Path(asyncio.run(main())["path"]).name == song.name
    assert {
        str(path.relative_to(made)): path.read_text() for path in made.rglob("*") if path.is_file()
    } == {name: name for name in ("voc*ls?.wav", "[deep]/drums.wav", "vocals!.wav")}
    assert shared_is_empty(shared)


def test_storage_that_gives_no_reason_is_told_by_the_kind_of_its_error(tmp_path: Path) -> None:
    class Storage:
        def glob(self, _places: str) -> list[str]:
            raise FileNotFoundError([])

    class Client:
        def subscribe_topic(self, *_: object) -> None:
            """Nobody listens."""

    here = Cluster(Client(), str(tmp_path))
    here._files = Storage()
    with pytest.raises(WorkerError, match="shared storage: FileNotFoundError"):
        asyncio.run(here.kill("sfa"))


def test_a_killed_worker_of_the_cluster_loses_nothing(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    killed: list[int] = []

    def kill_it(_share: float, doing: str) -> None:
        if doing.isdigit() and not killed:
            killed.append(int(doing))
            os.kill(int(doing), signal.SIGKILL)

    async def main() -> list[dict[str, Any]]:
        async with cluster(shared) as here:
            orders = [
                order(WAIT_ONCE + COPY, tmp_path, "slow", first=str(tmp_path / "first")),
                *(
                    order(COPY, tmp_path, f"quick-{n}", out=str(tmp_path / f"made-{n}"))
                    for n in range(6)
                ),
            ]
            return await asyncio.gather(*(here.run(o, kill_it) for o in orders))

    results = asyncio.run(main())
    assert killed
    assert [r["length"] for r in results] == [8] * 7
    assert results[0]["pid"] != killed[0]
    assert (tmp_path / "made" / "copy.txt").read_text() == "LA LA LA"
    assert shared_is_empty(shared)


def test_what_a_worker_says_is_wrong_comes_home_with_its_kind(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    body = "say(error='no sound', hint='take another', code='media')"

    async def main() -> None:
        async with cluster(shared) as here:
            with pytest.raises(MediaError, match="no sound"):
                await here.run(order(body, tmp_path), lambda *_: None)

    asyncio.run(main())
    assert not (tmp_path / "made").exists()
    assert shared_is_empty(shared)


@pytest.mark.parametrize("is_cleared", [False, True])
def test_a_cancelled_order_ends_its_worker_wherever_it_runs(
    tmp_path: Path, is_cleared: bool
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    body = "say(progress=0.1, doing=str(os.getpid()))\ntime.sleep(60)"

    async def main() -> int:
        async with cluster(shared) as here:
            begun: asyncio.Queue[str] = asyncio.Queue()
            asked = order(body, tmp_path)
            task = asyncio.create_task(here.run(asked, lambda _, doing: begun.put_nowait(doing)))
            pid = int(await begun.get())
            descriptor = os.pidfd_open(pid)
            if is_cleared:  # by somebody who tidied the storage up
                shutil.rmtree(shared / asked.tag)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(descriptor, ended.set)
            await asyncio.wait_for(ended.wait(), 20)
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
            return pid

    assert asyncio.run(main())


def test_orders_that_nobody_took_up_are_told_to_end_and_then_cleared_away(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    for name in ("sfa-ours-1", "sfa-theirs-1"):
        (shared / name / "in" / "path").mkdir(parents=True)

    async def main() -> None:
        async with cluster(shared) as here:
            await here.kill("sfa-ours")
            assert (shared / "sfa-ours-1" / "cancel").exists()
            await here.kill("sfa-ours")

    asyncio.run(main())
    assert [entry.name for entry in shared.iterdir()] == ["sfa-theirs-1"]
    assert not (shared / "sfa-theirs-1" / "cancel").exists()


def test_what_was_coming_home_when_backstage_was_killed_is_cleared_away(tmp_path: Path) -> None:
    out = tmp_path / "shared" / "one" / "out" / "made"
    out.mkdir(parents=True)
    (out / "copy.txt").write_text("new")
    home = tmp_path / "home"
    (home / "made").mkdir(parents=True)
    (home / "made" / "copy.txt").write_text("old")
    program = """
        import os, signal, sys
        from pathlib import Path
        from sfa_engine.backstage.cluster import Cluster
        class Client:
            def subscribe_topic(self, *_): pass
        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)
        here = Cluster(Client(), sys.argv[1])
        rename, left = Path.rename, int(sys.argv[3])
        def dying(self, target):
            global left
            if not left: die()
            left -= 1
            return rename(self, target)
        Path.rename = dying
        here._download(sys.argv[1] + "/one/out", Path(sys.argv[2]) / "made")
    """
    for renames in (0, 1):
        words = [str(tmp_path / "shared"), str(home), str(renames)]
        code = [sys.executable, "-c", textwrap.dedent(program), *words]
        assert subprocess.run(code, check=False).returncode == -signal.SIGKILL
        assert clean_leftovers(home) > 0
        assert [entry.name for entry in home.iterdir()] == ["made"]
        assert (home / "made" / "copy.txt").read_text() == "old"


@pytest.mark.parametrize(("address", "shared"), [("", "/somewhere"), ("tcp://127.0.0.1:9", "")])
def test_a_cluster_that_is_not_named_is_refused(address: str, shared: str) -> None:
    with pytest.raises(WorkerError, match="needs an address"):
        asyncio.run(Cluster.connect(address, shared))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "ws://x:9", "tlsx://x:9"])
def test_a_cluster_without_tls_is_refused_unless_that_is_allowed(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(WorkerError, match=r'has no TLS: .*dask_security = "none"'):
        asyncio.run(Cluster.connect(address, str(tmp_path)))


def test_a_cluster_with_tls_is_gone_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfa_engine.backstage.cluster.CONNECT_S", 0.5)
    with pytest.raises(WorkerError, match="no Dask scheduler at tls://"):
        asyncio.run(Cluster.connect("tls://127.0.0.1:9", str(tmp_path)))


def test_a_scheduler_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfa_engine.backstage.cluster.CONNECT_S", 0.5)
    with pytest.raises(WorkerError, match="no Dask scheduler"):
        asyncio.run(Cluster.connect("tcp://127.0.0.1:9", str(tmp_path), insecure=True))


@pytest.mark.parametrize("address", ["nosuch://x", "127.0.0.1"])
def test_an_address_that_is_none_is_told_and_nothing_stays_open(
    tmp_path: Path, address: str
) -> None:
    async def main() -> list[Client]:
        with pytest.raises(WorkerError, match="no Dask scheduler"):
            await Cluster.connect(address, str(tmp_path), insecure=True)
        return [client for client in Client._instances if client.status != "closed"]

    assert asyncio.run(main()) == []


def test_storage_that_nobody_knows_is_told_before_anybody_is_asked() -> None:
    with pytest.raises(WorkerError, match=r'cannot use "nosuch://x" .*Protocol not known'):
        asyncio.run(Cluster.connect("tcp://127.0.0.1:9", "nosuch://x", insecure=True))


def test_an_order_that_the_cluster_fails_leaves_nothing_on_the_storage(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()

    async def main() -> None:
        async with cluster(shared) as here:
            with pytest.raises(WorkerError, match="the cluster failed: FileNotFoundError"):
                await here.run(order("say(result={})", tmp_path), lambda *_: None)

    asyncio.run(main())
    assert shared_is_empty(shared)


def test_storage_that_cannot_be_cleared_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()

    def stuck(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    async def main() -> dict[str, Any]:
        async with cluster(shared) as here:
            monkeypatch.setattr(type(here._files), "rm", stuck)  # here, not in the workers
            return await here.run(order(COPY, tmp_path), lambda *_: None)

    assert asyncio.run(main())["length"] == 8
    assert (tmp_path / "made" / "copy.txt").read_text() == "LA LA LA"
    assert "is left on shared storage: [Errno 13] Permission denied" in caplog.text


def test_a_cluster_is_gone_to_with_the_first_order_and_tried_again_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfa_engine.backstage.cluster.CONNECT_S", 0.5)
    shared = tmp_path / "shared"
    (shared / "sfa-left" / "in" / "path").mkdir(parents=True)
    addresses = ["tcp://127.0.0.1:9"]
    remote = Remote(lambda: Cluster.connect(addresses[-1], str(shared), insecure=True))

    async def main() -> list[dict[str, Any]]:
        await remote.kill("sfa")
        with pytest.raises(WorkerError, match="no Dask scheduler"):
            await remote.run(order(COPY, tmp_path), lambda *_: None)
        async with two_workers(shared) as there:
            monkeypatch.setattr("sfa_engine.backstage.cluster.CONNECT_S", 10.0)
            addresses.append(there.scheduler_address)
            orders = [
                order(COPY, tmp_path, f"sfa-{n}", out=str(tmp_path / f"made-{n}")) for n in range(3)
            ]
            try:
                return await asyncio.gather(*(remote.run(o, lambda *_: None) for o in orders))
            finally:
                await remote.close()

    assert [result["length"] for result in asyncio.run(main())] == [8] * 3
    assert [entry.name for entry in shared.iterdir()] == ["sfa-left"]
    assert (shared / "sfa-left" / "cancel").exists()


def test_the_cluster_is_not_imported_unless_it_is_used() -> None:
    code = (
        "import sys, sfa_engine.backstage.cluster as c; "
        "sys.exit('distributed' in sys.modules or 'dask' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_backstage_starts_without_what_few_of_its_verbs_need() -> None:
    heavy = {"llvmlite", "numba", "torch", "dask", "librosa", "scipy", "av"}
    code = f"import sys, sfa_engine.run.backstage_process; print({heavy!r} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
