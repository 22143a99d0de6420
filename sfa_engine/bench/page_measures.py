"""What `sfa bench page` measures inside the browser: frames, rows, and the state after sleep.

The page is found by its attributes alone, which page/README.md lists.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MAIN = "CrRendererMain"  # the thread of scripts, layout and painting
FRAME = "ProxyMain::BeginMainFrame"
TASK = "RunTask"
# The page's own work on that thread; the rest is messages and the browser's bookkeeping.
SCRIPT_AND_PAINT = frozenset({
    "EvaluateScript", "FireAnimationFrame", "FunctionCall", "TimerFire", "EventDispatch",
    "RunMicrotasks", "MinorGC", "MajorGC", "ParseHTML",
    "UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit", "HitTest",
})  # fmt: skip
# Threads that make pixels of it, which a GPU does elsewhere.
COMPOSITORS = ("Compositor", "VizCompositorThread")
RASTER = "RasterTask"
CATEGORIES = (
    "cc",
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
    "__metadata",
)
MIN_DATA = 2000  # bytes of a message that can be a page of rows
STEP_MS = 50.0


@dataclass(frozen=True)
class Frames:
    """What the browser did for each frame of a page.

    Parameters
    ----------
    cpu_ms : list of float
        CPU time of the page's main thread: scripts, style, layout, painting, messages.
    wall_ms : list of float
        The time that this took.
    seconds : float
        From the first frame to the last.
    script_paint_ms : list of float
        The part of `cpu_ms` that is scripts, garbage collection, style, layout and painting.
    raster_ms : list of float
        CPU time of compositor and raster, in other threads and the browser's other processes.
    """

    cpu_ms: list[float]
    wall_ms: list[float]
    seconds: float
    script_paint_ms: list[float]
    raster_ms: list[float]

    @property
    def per_second(self) -> float:
        """Frames a second."""
        return len(self.cpu_ms) / self.seconds if self.seconds else 0.0


def frames_of(events: Iterable[Mapping[str, Any]]) -> Frames:
    """Return the frames in a trace of the browser.

    A frame lasts from the task that draws it to the task that draws the next; all tasks between
    count, as they delay it. Of several pages the one with most frames is meant.

    Parameters
    ----------
    events : iterable of mapping
        As Chromium's tracing gives them: times in µs, ``tdur`` is CPU time.
    """
    listed = list(events)
    names = {
        (each["pid"], each["tid"]): each["args"]["name"]
        for each in listed
        if each["ph"] == "M" and each["name"] == "thread_name"
    }
    by_thread: dict[tuple[int, int], list[Mapping[str, Any]]] = {
        thread: [] for thread, name in names.items() if name == MAIN
    }
    raster = []
    for each in listed:
        if each["ph"] != "X":
            continue
        thread = (each["pid"], each["tid"])
        if thread in by_thread:
            by_thread[thread].append(each)
        elif each["name"] == RASTER or (each["name"] == TASK and names.get(thread) in COMPOSITORS):
            raster.append(each)
    found = [_frames(each, raster) for each in by_thread.values()]
    return max(found, key=lambda frames: len(frames.cpu_ms), default=NONE)


NONE = Frames([], [], 0.0, [], [])


def _frames(events: Sequence[Mapping[str, Any]], raster: Sequence[Mapping[str, Any]]) -> Frames:
    tasks = sorted((each for each in events if each["name"] == TASK), key=lambda each: each["ts"])
    begins = [each["ts"] for each in tasks]
    drawing = sorted(
        max(0, bisect_right(begins, each["ts"]) - 1) for each in events if each["name"] == FRAME
    )
    if len(drawing) < 2 or not tasks:
        return NONE
    edges = [begins[each] for each in drawing]
    return Frames(
        _sums(tasks, edges, "tdur"),
        _sums(tasks, edges, "dur"),
        (edges[-1] - edges[0]) / 1e6,
        _sums(_outermost(events), edges, "tdur"),
        _sums(raster, edges, "tdur"),
    )


def _outermost(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return scripts and painting, without those that are inside of others."""
    found: list[Mapping[str, Any]] = []
    end = -math.inf
    ours = (each for each in events if each["name"] in SCRIPT_AND_PAINT)
    for each in sorted(ours, key=lambda each: (each["ts"], -each.get("dur", 0))):
        if each["ts"] >= end:
            found.append(each)
            end = each["ts"] + each.get("dur", 0)
    return found


def _sums(events: Sequence[Mapping[str, Any]], edges: Sequence[int], key: str) -> list[float]:
    """Return milliseconds of the events that begin in each frame."""
    sums = [0.0] * (len(edges) - 1)
    for each in events:
        frame = bisect_right(edges, each["ts"]) - 1
        if 0 <= frame < len(sums):
            sums[frame] += each.get(key, 0) / 1000
    return sums


def trace(browser: Browser, page: Page, seconds: float) -> list[dict[str, Any]]:
    """Return what the browser's threads do for some time."""
    devtools = browser.new_browser_cdp_session()
    events: list[dict[str, Any]] = []
    ended: list[Any] = []
    devtools.on("Tracing.dataCollected", lambda given: events.extend(given["value"]))
    devtools.on("Tracing.tracingComplete", lambda given: ended.append(given))  # noqa: PLW0108
    config = {"includedCategories": list(CATEGORIES), "excludedCategories": ["*"]}
    devtools.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": config})
    page.wait_for_timeout(seconds * 1000)
    devtools.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(STEP_MS)
    devtools.detach()
    return events


# A page that asks for each frame and does nothing in it.
EMPTY_LOOP = "() => { const frame = () => requestAnimationFrame(frame); frame(); }"

# Notes when data came, and when the first row that has data was painted.
FIRST_VIEW = """
(() => {
  const seen = (window.sfaBench = { data: [], shown: 0 });
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...of) {
      super(...of);
      this.addEventListener("message", ({ data }) => {
        const size = data.byteLength ?? data.size ?? data.length;
        if (size >= MIN_DATA) seen.data.push(performance.now());
      });
    }
  };
  new PerformanceObserver((list) => {
    for (const each of list.getEntries())
      if (each.name.includes("/api/library")) seen.data.push(each.responseEnd);
  }).observe({ type: "resource", buffered: true });
  const look = () => {
    if (!document.querySelector("[data-row]:not([data-blank])")) return requestAnimationFrame(look);
    setTimeout(() => (seen.shown = performance.now())); // after this frame was painted
  };
  requestAnimationFrame(look);
})();
""".replace("MIN_DATA", str(MIN_DATA))

# Not `wait_for_function`: it evaluates texts in the page, which the policy forbids.
_FIRST_SHOWN = """
(timeoutMs) => new Promise((resolve, reject) => {
  const look = () => {
    if (window.sfaBench.shown) resolve(window.sfaBench);
    else if (performance.now() > timeoutMs) reject(new Error("no [data-row] with data was shown"));
    else setTimeout(look, 20);
  };
  look();
})
"""


def first_view_ms(page: Page, timeout_s: float = 30.0) -> float:
    """Return the time from the last data before the first row to its painting.

    The page has `FIRST_VIEW` from its start.
    """
    found: dict[str, Any] = page.evaluate(_FIRST_SHOWN, timeout_s * 1000)
    before = [at for at in found["data"] if at <= found["shown"]]
    return float(found["shown"] - max(before, default=0.0))


# Scrolls a list by steps and by jumps; returns for how long a place of it was blank at most.
_SCROLL = """
async ({ sweepMs, jumps, restMs }) => {
  const box = document.querySelector("[data-rows]");
  const inner = box.scrollHeight - box.clientHeight;
  const blankSince = new Map();
  let uncoveredSince = null, longest = 0, frames = 0, blankFrames = 0, done = false;
  const look = (now) => {
    if (done) return;
    const view = box.getBoundingClientRect();
    let covered = 0;
    const blank = new Set();
    for (const row of box.querySelectorAll("[data-row]")) {
      const place = row.getBoundingClientRect();
      const height = Math.min(place.bottom, view.bottom) - Math.max(place.top, view.top);
      if (height < 1) continue;
      covered += height;
      if (row.hasAttribute("data-blank")) blank.add(row.dataset.row);
    }
    for (const row of blankSince.keys()) if (!blank.has(row)) blankSince.delete(row);
    for (const row of blank) {
      if (!blankSince.has(row)) blankSince.set(row, now);
      longest = Math.max(longest, now - blankSince.get(row));
    }
    if (covered < box.clientHeight - 2) {
      uncoveredSince ??= now;
      longest = Math.max(longest, now - uncoveredSince);
    } else uncoveredSince = null;
    frames += 1;
    if (blank.size || uncoveredSince !== null) blankFrames += 1;
    requestAnimationFrame(look);
  };
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  requestAnimationFrame(look);
  const began = performance.now();
  while (performance.now() - began < sweepMs) {
    box.scrollTop += box.clientHeight / 3;
    await frame();
  }
  for (let k = 0; k < jumps; k++) {
    box.scrollTop = inner * ((k * 0.618) % 1); // spread over the list
    const until = performance.now() + restMs;
    while (performance.now() < until) await frame();
  }
  done = true;
  return { longest, frames, blankFrames, rows: Number(box.dataset.rows) };
}
"""


def scroll(page: Page, sweep_s: float, jumps: int, rest_s: float) -> dict[str, float]:
    """Scroll the list of a page fast, three frames a screen, then jump about in it.

    Returns
    -------
    dict of str to float
        ``longest``: for how long a place was blank at most, in ms; ``frames``, ``blankFrames``:
        how many were drawn, and with a blank place; ``rows`` of the list.
    """
    given = {"sweepMs": sweep_s * 1000, "jumps": jumps, "restMs": rest_s * 1000}
    found: dict[str, float] = page.evaluate(_SCROLL, given)
    return found


_HIDE = """
(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  Object.defineProperty(document, "visibilityState", {
    configurable: true, get: () => (hidden ? "hidden" : "visible"),
  });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""
# Resolves with the time until a slider shows a value and the channel is open.
_SHOWN = """
({ path, value, timeoutMs }) => new Promise((resolve, reject) => {
  const began = performance.now();
  const look = () => {
    const slider = document.querySelector(`[data-control="${path}"][aria-valuenow]`);
    const now = performance.now() - began;
    const isOpen = document.documentElement.dataset.connection === "online";
    if (isOpen && slider && Math.abs(Number(slider.getAttribute("aria-valuenow")) - value) < 0.01)
      resolve(now);
    else if (now > timeoutMs) reject(new Error(
      `after ${Math.round(now)} ms: connection ${document.documentElement.dataset.connection}, ` +
      `${path} is ${slider?.getAttribute("aria-valuenow")}, not ${value}`));
    else setTimeout(look, 5);
  };
  look();
})
"""


def fall_asleep(page: Page) -> None:
    """Hide a page and freeze it, as a phone does that sleeps."""
    page.evaluate(_HIDE, True)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    devtools.detach()


def wake_up(page: Page) -> None:
    """Unfreeze and show a page again."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    devtools.detach()
    page.evaluate(_HIDE, False)


def ms_until_shown(page: Page, path: str, value: float, timeout_s: float = 30.0) -> float:
    """Return the time until a slider shows a value, with the channel open."""
    given = {"path": path, "value": value, "timeoutMs": timeout_s * 1000}
    return float(page.evaluate(_SHOWN, given))
