"""What must hold for the repository as a whole, whatever is in it."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sfa_engine"
BINARY = {".png", ".npy", ".npz", ".wav", ".flac", ".jpg", ".gz", ".tosc", ".ogg"}
# Longer than that, and why it is one thing all the same.
LONG: dict[str, str] = {}

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE = re.compile(r"(?<![\w.~$}/])/(home|root|work|farm|Users)/\w")
FRAGMENT = re.compile(r"(\d+|\+[a-z0-9-]+)(\.\d+)?\.(feature|bugfix|doc|removal|misc)\.md")


def git_files() -> list[Path]:
    """Return all files that are, or could be, in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


FILES = git_files()
MODULES = [file for file in FILES if file.suffix == ".py" and PACKAGE in file.parents]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """Return ``file:line`` for each line of the repository's texts that fits."""
    return [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in FILES
        if file.suffix not in BINARY
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_for_later():
    assert lines_with(UNFINISHED) == []


def test_nothing_names_a_place_of_one_machine():
    assert lines_with(MACHINE) == []


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "pyproject.toml", "sfa_engine/py.typed"])
def test_what_a_repository_needs_is_there(name):
    assert (ROOT / name) in FILES


def test_the_license_is_the_one_that_the_package_names():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("script", ["scripts/setup.sh", ".ci/run"])
def test_scripts_can_be_run_and_parsed(script):
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", ROOT / script], check=True)


# ---------------------------------------------------------------- planes


def packages() -> list[Path]:
    return [file for file in MODULES if file.name == "__init__.py"]


def test_every_plane_but_preparation_is_kept_from_the_models():
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    kept = contracts["importlinter:contract:workers"]["source_modules"].split()
    planes = {file.parent.name for file in packages() if file.parent.parent == PACKAGE}
    assert {f"sfa_engine.{plane}" for plane in planes - {"prep"}} <= set(kept)


# ---------------------------------------------------------------- documents


def test_the_generated_parts_of_the_documents_are_up_to_date():
    texts = [file for file in FILES if file.suffix == ".md" and "[[[cog" in file.read_text()]
    assert ROOT / "docs/reference/controls.md" in texts
    command = [sys.executable, "-m", "cogapp", "-I", ROOT / "docs", "--check", *texts]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"run `make docs`: {checked.stdout}{checked.stderr}"


def test_fragments_of_the_changelog_are_well_named():
    names = [file.name for file in FILES if file.parent == ROOT / "changelog.d"]
    assert [name for name in names if not FRAGMENT.fullmatch(name)] == []


def test_decisions_are_numbered_listed_and_whole():
    pages = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    listed = (ROOT / "docs/decisions/README.md").read_text()
    for number, page in enumerate(pages):
        text = page.read_text()
        assert text.startswith(f"# {number:04} "), page.name
        assert page.name in listed
        assert [line for line in text.splitlines() if line.startswith("## ")] == [
            "## Decision",
            "## Why",
            "## Cost",
            "## Instead of",
        ], page.name


def links() -> Iterator[tuple[Path, str]]:
    for file in FILES:
        if file.suffix == ".md":
            for target in re.findall(r"\]\(([^)#\s]+)", file.read_text()):
                if not re.match(r"[a-z]+:", target):
                    yield file, target


def test_every_link_between_documents_leads_somewhere():
    assert [
        f"{file.relative_to(ROOT)}: {to}" for file, to in links() if not (file.parent / to).exists()
    ] == []


# ---------------------------------------------------------------- docstrings


def parameters(node: ast.AST) -> set[str] | None:
    """Return the names that a docstring may explain, or None where only running tells."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        a = node.args
        every = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
        return {arg.arg for arg in every if arg is not None}
    if not isinstance(node, ast.ClassDef):
        return None
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            return parameters(inner)
    if any("dataclass" in ast.unparse(made) for made in node.decorator_list):
        return {ast.unparse(f.target) for f in node.body if isinstance(f, ast.AnnAssign)}
    return None


def test_docstrings_explain_parameters_that_exist():
    wrong = []
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text())):
            known = parameters(node)
            said = ast.get_docstring(node) if known is not None else None
            if said is None or "Parameters\n" not in said:
                continue
            names = {
                name.strip(" *")
                for entry in NumpyDocString(said)["Parameters"]
                for name in entry.name.split(",")
            }
            if names - known:
                place = f"{file.relative_to(ROOT)}:{node.lineno}"
                wrong.append(f"{place} {node.name}: {sorted(names - known)}")
    assert wrong == []


def test_no_two_modules_of_tests_have_one_name() -> None:
    """Pytest imports them by their bare names, and fails in a whole run alone."""
    names = Counter(path.name for path in FILES if ROOT / "tests" in path.parents)
    assert [
        name
        for name, count in names.items()
        if count > 1 and name.endswith(".py") and name != "conftest.py"
    ] == []
