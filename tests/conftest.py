"""The options of the test run, and the rule that CI skips nothing."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import settings

# A slow machine is no fault of the code; pytest-timeout ends what hangs.
settings.register_profile("sfa", parent=settings(), deadline=None)
settings.load_profile("sfa")

# Processes that a test starts without a folder of its own for their logs write here.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="sfa-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# Tests that CI may skip, and why: what no machine of CI can have. Empty, and best so.
MAY_SKIP: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sfa")
    group.addoption(
        "--accept-golden",
        action="store_true",
        help="what comes out is right: write it over the golden files, then read the diff",
    )
    group.addoption(
        "--no-skips",
        action="store_true",
        default=os.environ.get("CI", "").lower() in {"1", "true"},
        help="a test that is skipped has failed; always so where CI=true",
    )


@pytest.fixture(scope="session")
def accept_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--accept-golden"))


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> str:
    """Declare a fader that is not built yet; return its name."""
    from sfa_engine.desk import CONTROLS

    path = "master.talk"
    control = replace(CONTROLS["master.volume"], path=path, planned=True)
    monkeypatch.setitem(CONTROLS, path, control)
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if not hasattr(report, "wasxfail"):  # an expected failure is no skip
        _refuse_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    _refuse_skip(collector.config, report)
    return report


def _refuse_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    allowed = report.nodeid in MAY_SKIP
    if report.skipped and config.getoption("--no-skips") and not allowed:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} may not be skipped here. {reason}"
