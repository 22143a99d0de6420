"""`sfa bench page`: the web UI in Chromium without a GPU, on an engine with the demo's tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from sfa_engine.bench.browser import Tab, browser_of, chromium_path
from sfa_engine.bench.demo_site import DemoSite, demo_site
from sfa_engine.bench.page_measures import (
    EMPTY_LOOP,
    FIRST_VIEW,
    Frames,
    fall_asleep,
    first_view_ms,
    frames_of,
    ms_until_shown,
    scroll,
    trace,
    wake_up,
)
from sfa_engine.bench.rig import Result, chosen_of, pss_mb, result
from sfa_engine.bench.tcp_proxy import proxy_to
from sfa_engine.cli import screen
from sfa_engine.errors import EngineError

ROWS = 20_000
VIEWS = 5  # first views, each in a new tab
JUMPS = 12
REST_S = 0.6
WIDTH = 1600
HELD = ("crossfader", 37.5, -62.0)  # a control, its value before sleep and after
SETTLE_MS = 2000
BASELINE_S = 3.0


def run_bench(
    *,
    seconds: float,
    only: tuple[str, ...],
    device: str | None,
    asleep_s: float,
    rows: int = ROWS,
    quiet: bool,
) -> list[Result]:
    """Run parts, or all, and return their figures.

    Parameters
    ----------
    seconds : float
        Of the decks' frames and of scrolling.
    only : tuple of str
        Parts; all if empty.
    device : str, optional
        Default a dummy JACK server.
    asleep_s : float
        How long the page sleeps.
    rows : int
        Of the library that is scrolled.
    quiet : bool
        No progress bar.
    """
    parts: dict[str, Callable[[DemoSite], list[Result]]] = {
        "decks": lambda site: bench_decks(site, seconds),
        "wake": lambda site: bench_wake(site, asleep_s),
        "library": lambda site: bench_library(site, seconds, rows),
    }
    chosen = chosen_of(parts, only)
    chromium_path()
    results = []
    with screen.progress_bar("bench", quiet=quiet) as bar:
        bar(0.0, "preparing the demo's tracks")
        with demo_site(device) as site:
            for done, name in enumerate(chosen):
                bar(done / len(chosen), f"bench: {name}")
                with _in_one_line():
                    results += parts[name](site)
        bar(1.0, "bench")
    return results


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Turn an error of the browser into one of ours.

    Raises
    ------
    EngineError
        The page does not show what is to be measured.
    """
    from playwright.sync_api import Error

    try:
        yield
    except Error as error:
        said = error.message.strip().splitlines()[0]
        raise EngineError(f"the page: {said}", "see page/README.md for its attributes") from None


def bench_decks(site: DemoSite, seconds: float) -> list[Result]:
    """Measure the frames of two decks of four stems that scroll, and those of an empty page."""
    site.load()
    with browser_of() as browser:
        empty = Tab(browser, site.origin, width=WIDTH)
        empty.page.goto("about:blank")
        empty.page.evaluate(EMPTY_LOOP)
        baseline = frames_of(trace(browser, empty.page, BASELINE_S))
        empty.close()
        tab = Tab(browser, site.origin, site.sign_in(), WIDTH)
        page = tab.view("decks")
        for deck in (1, 2):
            page.wait_for_selector(f'[data-waveform="{deck}"]:not([data-columns="0"])')
        page.wait_for_timeout(SETTLE_MS)
        frames = frames_of(trace(browser, page, seconds))
        tab.close()
    n = len(frames.cpu_ms)
    if not n:
        raise EngineError("the browser drew no frame of the decks")
    p50, p95 = np.percentile(frames.cpu_ms, (50, 95))
    return [
        result("decks_frame_script_paint_p95_ms", _p95(frames.script_paint_ms), "ms", n),
        result("decks_frame_cpu_p50_ms", float(p50), "ms", n),
        result("decks_frame_cpu_p95_ms", float(p95), "ms", n),
        result("decks_frame_raster_p95_ms", _p95(frames.raster_ms), "ms", n),
        result("decks_frame_wall_p95_ms", _p95(frames.wall_ms), "ms", n),
        result("decks_frames_per_s", frames.per_second, "Hz", n),
        *_baseline_of(baseline),
        result("web_pss_mb", pss_mb(site.pid("web")), "MB", 1),
    ]


def _p95(values: list[float]) -> float:
    return float(np.percentile(values, 95))


def _baseline_of(frames: Frames) -> list[Result]:
    """Return what a frame costs on this machine now without anything in it."""
    n = len(frames.cpu_ms)
    if not n:
        raise EngineError("the browser drew no frame of an empty page")
    return [
        result("empty_frame_cpu_p95_ms", _p95(frames.cpu_ms), "ms", n),
        result("empty_frame_wall_p95_ms", _p95(frames.wall_ms), "ms", n),
        result("empty_frames_per_s", frames.per_second, "Hz", n),
    ]


def bench_library(site: DemoSite, seconds: float, rows: int) -> list[Result]:
    """Measure the first view of a long library, and blank rows while it is scrolled."""
    site.add_rows(rows)
    shown = []
    with browser_of() as browser:
        for _ in range(VIEWS):
            tab = Tab(browser, site.origin, site.sign_in(), WIDTH)
            tab.page.add_init_script(FIRST_VIEW)
            page = tab.go("/library")
            shown.append(first_view_ms(page))
            if len(shown) == VIEWS:
                page.wait_for_timeout(SETTLE_MS)
                found = scroll(page, seconds, JUMPS, REST_S)
            tab.close()
    if found["rows"] < rows:
        raise EngineError(f"the list has {found['rows']:.0f} rows of {rows}", "see data-rows")
    n = int(found["frames"])
    return [
        result("library_first_view_p50_ms", float(np.median(shown)), "ms", VIEWS),
        result("library_first_view_max_ms", max(shown), "ms", VIEWS),
        result("library_longest_blank_ms", found["longest"], "ms", n),
        result("library_blank_frames_pct", 100 * found["blankFrames"] / n, "%", n),
    ]


def bench_wake(site: DemoSite, asleep_s: float) -> list[Result]:
    """Measure the time to the true state of a page that slept while the engine was restarted."""
    site.load()
    path, before, after = HELD
    site.call("set", path=path, value=before, wait=True)
    with proxy_to(site.port) as proxy, browser_of() as browser:
        tab = Tab(browser, f"http://127.0.0.1:{proxy.port}", site.sign_in(), WIDTH)
        page = tab.view("decks")
        ms_until_shown(page, path, before)
        fall_asleep(page)
        proxy.sleep()
        page.wait_for_timeout(asleep_s * 500)
        site.kill("stage", "web")
        site.call("set", path=path, value=after, wait=True)
        page.wait_for_timeout(asleep_s * 500)
        proxy.wake()
        wake_up(page)
        took_ms = ms_until_shown(page, path, after)
        page.wait_for_timeout(SETTLE_MS)
        channels, opened = proxy.channels, proxy.opened
        tab.close()
    return [
        result("wake_true_state_ms", took_ms, "ms", 1),
        result("wake_channels_open", channels, "channels", 1),
        result("wake_channels_opened", opened, "channels", 1),
    ]
