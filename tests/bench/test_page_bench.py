"""The measures of `sfa bench page`, on pages that do what is known."""

import socket
import threading
from importlib import util

import pytest

from sfa_engine.bench import browser as browser_module
from sfa_engine.bench.browser import browser_of, chromium_path
from sfa_engine.bench.page import run_bench
from sfa_engine.bench.page_measures import (
    FIRST_VIEW,
    fall_asleep,
    first_view_ms,
    frames_of,
    ms_until_shown,
    scroll,
    trace,
    wake_up,
)
from sfa_engine.bench.tcp_proxy import proxy_to
from sfa_engine.errors import EngineError, Refused

MAIN, OTHER, RASTERS = 1, 2, 3
BUSY = """<canvas id="canvas" width="800" height="200"></canvas><script>
const pen = document.getElementById("canvas").getContext("2d");
let shift = 0;
function draw() {
  requestAnimationFrame(draw);
  pen.clearRect(0, 0, 800, 200);
  pen.fillRect(shift++ % 800, 0, 9, 200);
  const end = performance.now() + 6;
  while (performance.now() < end);
}
draw();
</script>"""
# A list of rows that are blank for some time after they appear.
LIST = """<style>#box {{ height: 560px; overflow: auto; position: relative }}
.row {{ position: absolute; height: 56px; width: 100% }}</style>
<div id="box" data-rows="2000"><div style="height: 112000px"></div></div><script>
const box = document.getElementById("box");
const known = new Set();
function draw() {{
  const first = Math.floor(box.scrollTop / 56);
  for (const row of box.querySelectorAll(".row")) row.remove();
  for (let k = first; k < Math.min(2000, first + 11); k++) {{
    const row = document.createElement("div");
    row.className = "row";
    row.style.top = `${{k * 56}}px`;
    row.dataset.row = k;
    if (!known.has(k)) {{
      row.dataset.blank = "";
      setTimeout(() => {{ known.add(k); draw(); }}, {blank_ms});
    }}
    box.append(row);
  }}
}}
box.addEventListener("scroll", () => setTimeout(draw, {late_ms}));
setTimeout(draw, 20);
</script>"""
SLIDER = (
    """<html data-connection="online"><div data-control="crossfader" aria-valuenow="5"></div>"""
)


def test_a_frame_lasts_from_one_drawing_task_to_the_next():
    def event(name, ts, wall, cpu, thread=MAIN):
        times = {"ts": ts, "dur": wall, "tdur": cpu}
        return {"ph": "X", "name": name, "pid": 7, "tid": thread, **times}

    tasks = [(0, 500, 400), (1000, 6000, 4000), (9000, 2000, 1000), (17_000, 5000, 3000)]
    tasks.append((34_000, 5000, 3000))
    events = [
        *(event("RunTask", *each) for each in tasks),
        *(event("ProxyMain::BeginMainFrame", at, 9, 9) for at in (1100, 17_200, 34_001)),
        event("FireAnimationFrame", 1200, 2000, 1500),
        event("FunctionCall", 1300, 1500, 1400),  # inside of it, and so counted with it
        event("Paint", 3300, 500, 500),
        event("UpdateLayer", 3900, 500, 500),
        event("Commit", 18_000, 700, 600),
        event("RunTask", 2000, 3000, 2000, OTHER),
        event("RunTask", 40_000, 3000, 2000, OTHER),  # after the last frame
        event("RasterTask", 17_500, 900, 800, RASTERS),
        event("RunTask", 2000, 90_000, 90_000, RASTERS),
        *(
            {"ph": "M", "name": "thread_name", "pid": 7, "tid": thread, "args": {"name": name}}
            for thread, name in ((MAIN, "CrRendererMain"), (OTHER, "Compositor"), (RASTERS, "Pool"))
        ),
    ]
    frames = frames_of(reversed(events))
    assert frames.cpu_ms == [5.0, 3.0]
    assert frames.wall_ms == [8.0, 5.0]
    assert frames.script_paint_ms == [2.0, 0.6]
    assert frames.raster_ms == [2.0, 0.8]
    assert frames.per_second == pytest.approx(2 / 0.033)


def test_a_trace_without_frames_is_empty():
    assert frames_of([]).cpu_ms == []
    assert frames_of([]).per_second == 0.0


def test_without_playwright_or_chromium_one_line_says_so(monkeypatch):
    monkeypatch.setattr(browser_module, "PROGRAMS", ("no-such-browser",))
    with pytest.raises(EngineError, match="Chromium is not installed") as error:
        chromium_path()
    assert "apt-get install" in error.value.hint
    found = util.find_spec
    monkeypatch.setattr(
        browser_module, "find_spec", lambda name: None if name == "playwright" else found(name)
    )
    with pytest.raises(EngineError, match="Playwright is not installed"):
        run_bench(seconds=1.0, only=("decks",), device="none", asleep_s=0.0, quiet=True)


def test_an_unknown_part_of_the_pages_bench_is_named():
    with pytest.raises(Refused, match='no part "deck"'):
        run_bench(seconds=1.0, only=("deck",), device="none", asleep_s=0.0, quiet=True)


@pytest.fixture(scope="module")
def chromium():
    try:
        chromium_path()
    except EngineError as error:
        pytest.skip(str(error))
    with browser_of() as browser:
        yield browser


@pytest.fixture
def page(chromium):
    page = chromium.new_page()
    yield page
    page.close()


@pytest.mark.nightly
def test_frames_that_keep_the_page_busy_are_measured(chromium, page):
    page.set_content(BUSY)
    page.wait_for_timeout(500)
    frames = frames_of(trace(chromium, page, 1.0))
    assert len(frames.cpu_ms) > 10
    assert sorted(frames.wall_ms)[len(frames.wall_ms) // 2] > 6
    assert 0 < sorted(frames.cpu_ms)[len(frames.cpu_ms) // 2] < 100
    assert 5 < frames.per_second < 70


@pytest.mark.slow
@pytest.mark.parametrize(("blank_ms", "late_ms"), [(250, 0), (0, 250)])
def test_the_longest_blank_place_is_found(page, blank_ms, late_ms):
    """A row without its data, or no row where one belongs."""
    page.set_content(LIST.format(blank_ms=blank_ms, late_ms=late_ms))
    page.wait_for_timeout(600)
    found = scroll(page, 0.5, 2, 0.6)
    assert 200 < found["longest"] < 1500
    assert found["rows"] == 2000
    assert 0 < found["blankFrames"] < found["frames"]


@pytest.mark.slow
def test_the_first_view_is_timed_from_its_data(page):
    page.add_init_script(FIRST_VIEW)
    page.route("http://list.test/", lambda route: route.fulfill(body=f"<body>{LATE}"))
    page.route("http://list.test/api/library", lambda route: route.fulfill(body="[]"))
    page.goto("http://list.test/")
    assert 300 < first_view_ms(page) < 2000


LATE = """<script>
setTimeout(async () => {
  await (await fetch("/api/library")).text();
  setTimeout(() => {
    const row = document.createElement("div");
    row.dataset.row = 0;
    document.body.append(row);
  }, 300);
}, 400);
</script>"""


@pytest.mark.slow
def test_the_true_state_is_waited_for_after_sleep(page):
    page.set_content(SLIDER)
    assert ms_until_shown(page, "crossfader", 5.0) < 1000
    fall_asleep(page)
    wake_up(page)
    assert page.evaluate("document.visibilityState") == "visible"
    page.evaluate(
        "setTimeout(() => document.querySelector('[data-control]').ariaValueNow = '7', 400)"
    )
    assert 200 < ms_until_shown(page, "crossfader", 7.0) < 3000
    with pytest.raises(Exception, match="crossfader is 7, not 9"):
        ms_until_shown(page, "crossfader", 9.0, timeout_s=0.1)


@pytest.mark.slow
def test_a_relay_that_sleeps_says_nothing_and_its_old_connections_are_dead():
    server = socket.create_server(("127.0.0.1", 0))
    taken = []

    def echo(line):
        with line:
            while data := line.recv(100):
                line.sendall(data.upper())

    def accept():
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            taken.append(line)
            threading.Thread(target=echo, args=(line,)).start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    with proxy_to(server.getsockname()[1]) as proxy:
        line = socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5)
        line.sendall(b"get /api/channel")
        assert line.recv(100) == b"GET /API/CHANNEL"
        proxy.sleep()
        line.sendall(b"lost")
        with pytest.raises(TimeoutError):
            line.recv(100)
        taken[0].shutdown(socket.SHUT_RDWR)  # as a server that is restarted
        with pytest.raises(TimeoutError):
            line.recv(100)
        proxy.wake()
        try:
            line.sendall(b"late")
            rest = line.recv(100)
        except ConnectionError:
            rest = b""
        assert rest == b""
        again = socket.create_connection(("127.0.0.1", proxy.port), timeout=5.0)
        again.sendall(b"GET /api/channel")
        assert again.recv(100) == b"GET /API/CHANNEL"
        assert (proxy.channels, proxy.opened) == (1, 1)
        line.close()
        again.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    accepting.join(5.0)
