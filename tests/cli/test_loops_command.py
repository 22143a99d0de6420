"""`sfa loops` beside a real backstage with three tracks that are prepared and one that is not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from house import House, house, prep_context
from mix_library import MixLibrary

pytestmark = pytest.mark.slow
Ran = tuple[int, str, str]


async def _fill(here: House) -> None:
    async with prep_context(here.data) as context:
        library = MixLibrary(context)
        for number in range(1, 4):
            track = await library.add(number, genre="Techno")
            await library.prepare(track, bpm=120.0 + number)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("loops")) as lent:
        lent.data.mkdir(parents=True)
        asyncio.run(_fill(lent))
        lent.start().close()
        yield lent


@pytest.fixture
def loops(here: House, tmp_path: Path) -> Callable[..., Ran]:
    def run(*words: object) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.cli.main", "loops", *map(str, words)],
            env=here.env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_dry_run_lists_the_loops_with_their_reasons(
    here: House, loops: Callable[..., Ran]
) -> None:
    status, out, err = loops("2 drum loops", "of 8 beats, techno", "--dry-run", "--quiet")
    assert (status, err) == (0, "nothing is written\n")
    first, second = out.splitlines()
    assert first.startswith("pad 1  drums  8 beats  12")
    assert "8A" in first
    assert "its end leads back within 0.0 dB" in second
    assert not (here.data / "kits").exists()


def test_a_kit_is_made_and_a_second_one_of_the_name_is_refused(
    here: House, loops: Callable[..., Ran]
) -> None:
    words = ("a bass loop of 4 beats, techno", "--kit", "friday")
    status, out, err = loops(*words, "--quiet")
    assert status == 0, err
    assert err == "1 loop in kit friday; load it: sfa kit load friday\n"
    assert out.startswith("pad 1  bass  4 beats  ")
    assert (here.data / "kits" / "friday" / "kit.json").is_file()
    status, out, err = loops(*words)
    assert (status, out) == (1, "")
    assert err == 'sfa: there is a kit "friday"; choose another name, or remove it\n'
    assert loops(*words, "--replace", "--quiet")[0] == 0


def test_a_zip_is_moved_to_where_it_was_asked_for(
    here: House, loops: Callable[..., Ran], tmp_path: Path
) -> None:
    status, out, err = loops("2 loops of 2 bars, techno", "--zip", "set.zip", "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names == [*(each["file"] for each in said["loops"]), "info.json"]
    assert len(names) == 3
    assert said["zip"] == "set.zip"
    assert list((here.data / "exports").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x" * 10_000], "words"),
        (["guitar loops, techno"], "no track has such loops: "),
        (["loops", "--kit", "x", "--zip", "x.zip"], "a set of loops is a kit or a zip"),
        (["loops", "--zip", "x.rar"], '"x.rar" is no zip'),
        (["loops", "--kit", "../x"], "'../x' is not a name for a kit"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    loops: Callable[..., Ran], words: list[str], said: str
) -> None:
    status, out, err = loops(*words, "--quiet")
    assert (status, out) == (1, "")
    assert err.startswith(f"sfa: {said}"), err
    assert len(err.splitlines()) == 1
