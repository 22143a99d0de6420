"""The wheel and the sdist: built without a network, they contain the web UI or are refused."""

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGE = "sfa_engine/web/page"
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
FOLDERS = ("sfa_engine", "docs/examples", "patches", "profiles")


@pytest.fixture
def tree(tmp_path):
    """Copy what a build reads, with a page that is two files."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    ignored = shutil.ignore_patterns("__pycache__", "page")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    page = tree / PAGE
    (page / "assets").mkdir(parents=True)
    (page / "page.json").write_text(json.dumps({"build": "ab12", "files": {}}))
    (page / "assets" / "index-Ab12.js.gz").write_bytes(b"")
    return tree


def pip_wheel(tree):
    """Build a wheel; return its status and output."""
    words = ("wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", "dist", ".")
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_wheel_contains_the_page_and_none_of_an_older_build(tree):
    older = tree / "build" / "lib" / PAGE / "assets"
    older.mkdir(parents=True)
    (older / "index-Aa00.js").write_text("older")
    status, said = pip_wheel(tree)
    assert status == 0, said
    [wheel] = (tree / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    found = {name for name in names if name.startswith(f"{PAGE}/")}
    assert found == {f"{PAGE}/page.json", f"{PAGE}/assets/index-Ab12.js.gz"}
    assert "sfa_engine/web/static/welcome.html" in names
    assert {f"sfa_engine/prep/tag/{name}" for name in ("musicnn.npz", "MUSICNN-LICENSE.md")} <= set(
        names
    )


def test_the_sdist_contains_the_page(tree):
    code = "from setuptools.build_meta import build_sdist; print(build_sdist('dist'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [sdist] = (tree / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"{PAGE}/page.json", f"{PAGE}/assets/index-Ab12.js.gz", "setup.py"} <= names


def test_without_a_page_the_build_is_refused(tree):
    shutil.rmtree(tree / PAGE)
    status, said = pip_wheel(tree)
    assert status != 0
    assert "is not built: run `make page`" in said


def test_the_page_of_this_tree_is_listed_whole():
    folder = ROOT / PAGE
    if not (folder / "page.json").exists():
        pytest.skip("the web UI is not built: run `make page`")
    listed = json.loads((folder / "page.json").read_text())["files"]
    there = {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}
    compressed = {f"{name}.gz" for name, about in listed.items() if about["gzip"]}
    assert there == {"page.json", *listed, *compressed}
    # No inline scripts and styles: the policy refuses them.
    index = (folder / "index.html").read_text()
    assert "<style" not in index
    assert "style=" not in index
    assert index.count("<script") == index.count('<script type="module" crossorigin src="/assets/')
