"""What tests of the decks' page share: waiting, the engine's values and the page's controls."""

import time

WITHIN_S = 10.0
# Keep the players that the page makes in `window.made`.
KEEP_AUDIO = """() => {
  window.made = [];
  const construct = (Of, args) => {
    window.made.push(new Of(...args));
    return window.made.at(-1);
  };
  window.Audio = new Proxy(Audio, { construct });
}"""


def until(condition, what, within_s=WITHIN_S):
    """Wait for a condition; a timeout is a failure that names it."""
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


def value(site, path):
    """Return the engine's value of a control."""
    return site.call("get", path=path)["value"]


def control(page, path):
    """Return the control that is seen."""
    return page.locator(f'[data-control="{path}"]:visible').first


def shown(page, path):
    """Return the value that a control of the page shows."""
    return float(control(page, path).get_attribute("aria-valuenow"))
