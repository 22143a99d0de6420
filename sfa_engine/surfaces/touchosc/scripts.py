"""The Lua that a layout carries: what bindings cannot say.

TouchOSC has Lua 5.1 and runs each node's script in a context of its own. Faders, switches and
buttons work by their bindings alone. Scripts write text dark on what is lit, format numbers, light
the option that is chosen, select and move rows of the list, and subscribe.

A script formats what a binding has received, instead of receiving it: if it does not run, the
plain number stays.
"""

from __future__ import annotations

from sfa_engine.desk import Control
from sfa_engine.desk.scale import OFF
from sfa_engine.surfaces.touchosc.document import Color
from sfa_engine.surfaces.touchosc.look import DIM, INK

EMPTY, FULL = "empty", "full"  # the tag of a pad, and the text of a hot cue without a place
# The engine forgets who is silent for a minute, and UDP tells nobody that it was started again.
PING_PERIOD_MS = 20_000
SILENT_MS = 45_000  # two answers to pings that did not come
SUBSCRIBE_PERIOD_MS = 10_000  # each is answered by all values


def subscribe(port: int) -> str:
    """Return the canvas's script: ask for feedback until it comes, and again when it stops."""
    return f"""local heard, asked, pinged = nil, nil, 0
function onReceiveOSC(message, connections)
  heard = getMillis()
end
function update()
  local now = getMillis()
  if heard and now - heard < {SILENT_MS} then
    if now - pinged > {PING_PERIOD_MS} then
      pinged = now
      sendOSC({{ '/sfa/ping', {{}} }})
    end
  elseif asked == nil or now - asked > {SUBSCRIBE_PERIOD_MS} then
    asked = now
    sendOSC({{ '/sfa/subscribe', {{ {{ tag = 'i', value = {port} }} }} }})
  end
end"""


def light(
    captions: dict[str, Color], on: Color, off: Color, ink_on: Color, *, is_pad: bool = False
) -> str:
    """Return a button's script: its colour and its texts', on and off.

    Parameters
    ----------
    captions : dict of str to Color
        Node of each text, and its colour while the button is off.
    on, off : Color
        Of the button.
    ink_on : Color
        Of the texts while it is on.
    is_pad : bool
        Whether it is dim while its tag says that it is empty.
    """
    rest = f"(self.tag == {_string(EMPTY)} and {_color(DIM)} or {_color(off)})"
    texts = "\n".join(
        f"  self.parent.children[{_string(name)}].textColor"
        f" = on and {_color(ink_on)} or {_color(ink)}"
        for name, ink in captions.items()
    )
    return f"""local function show()
  local on = self.values.x > 0.5
  self.color = on and {_color(on)} or {rest if is_pad else _color(off)}
{texts}
end
function onValueChanged(key)
  if key == 'x' then show() end
end"""


def reading(control: Control) -> str:
    """Return a label's script: the number that it received, as a person reads it."""
    scale = control.scale
    if control.range_text() == "yes, no":
        body = "v >= 0.5 and 'yes' or 'no'"
    elif scale.unit == "s":
        return f"{_CLOCK}\n{_show('clock(v)')}"
    elif scale.law == "gain":
        body = f"v <= {OFF:.0f} and 'off' or string.format('%.{scale.decimals}f', v)"
    else:
        # 124.00, but no more places than a glance takes in.
        body = f"string.format('%.{min(scale.decimals, 2)}f', v)"
    return _show(body)


def option(names: dict[int, str]) -> str:
    """Return the script of a label that receives a choice of many options: the name of one."""
    every = ", ".join(f"[{value}] = {_string(name)}" for value, name in names.items())
    return f"""local names = {{ {every} }}
function onValueChanged(key)
  if key ~= 'text' then return end
  local name = names[tonumber(self.values.text)]
  if name then self.values.text = name end
end"""


def hot_cue(pad: str) -> str:
    """Return the script of a hot cue's place: a clock, or that there is none, and a dim pad."""
    return f"""{_CLOCK}
local shown = nil
function onValueChanged(key)
  if key ~= 'text' or self.values.text == shown then return end
  local v = tonumber(self.values.text)
  shown = v and clock(v) or {_string(EMPTY)}
  self.values.text = shown
{_fill(pad, "v")}
end"""


def pad_name(pad: str) -> str:
    """Return the script of the name on a pad of the sampler: without one the pad is dim."""
    return f"""function onValueChanged(key)
  if key ~= 'text' then return end
{_fill(pad, "self.values.text ~= ''")}
end"""


def _fill(pad: str, condition: str) -> str:
    """Return what says to a pad, by its tag, whether there is something on it."""
    return f"""  local pad = self.parent.children[{_string(pad)}]
  pad.tag = {condition} and {_string(FULL)} or {_string(EMPTY)}
  pad.color = {condition} and {_color(INK)} or {_color(DIM)}"""


def cue_color() -> str:
    """Return the script of the strip that receives a hot cue's colour: it has that colour."""
    return """function onValueChanged(key)
  if key ~= 'text' then return end
  local r, g, b = string.match(self.values.text, '^#(%x%x)(%x%x)(%x%x)$')
  if r then
    self.color = Color(tonumber(r, 16) / 255, tonumber(g, 16) / 255, tonumber(b, 16) / 255, 1)
  else
    self.color = Color(0, 0, 0, 0)
  end
end"""


def place(bar: str, remaining: str) -> str:
    """Return the script of a deck's position: a clock, what remains, and the bar's place.

    The bar's tag holds the track's length, in seconds; see `length`.
    """
    return f"""{_CLOCK}
function onValueChanged(key)
  if key ~= 'text' then return end
  local v = tonumber(self.values.text)
  if v == nil then return end
  self.values.text = clock(v)
  local bar = self.parent.children[{_string(bar)}]
  local length = tonumber(bar.tag) or 0
  if length > 0 then
    bar.values.x = math.max(0, math.min(1, v / length))
    self.parent.children[{_string(remaining)}].values.text = '-' .. clock(math.max(0, length - v))
  end
end"""


def length(bar: str) -> str:
    """Return the script of a track's length, which tells the bar."""
    return f"""{_CLOCK}
function onValueChanged(key)
  if key ~= 'text' then return end
  local v = tonumber(self.values.text)
  if v == nil then return end
  self.parent.children[{_string(bar)}].tag = tostring(v)
  self.values.text = clock(v)
end"""


def choice(captions: dict[int, str], on: Color, off: Color, ink_on: Color, ink_off: Color) -> str:
    """Return the script of the label that receives a choice: light the caption of the option."""
    names = ", ".join(f"[{value}] = {_string(name)}" for value, name in captions.items())
    return f"""local names = {{ {names} }}
function onValueChanged(key)
  if key ~= 'text' then return end
  local chosen = tonumber(self.values.text)
  for value, name in pairs(names) do
    local caption = self.parent.children[name]
    local on = value == chosen
    caption.color = on and {_color(on)} or {_color(off)}
    caption.textColor = on and {_color(ink_on)} or {_color(ink_off)}
  end
end"""


def browse(
    where: tuple[str, str, str], span: str, rows: tuple[str, ...], on: Color, off: Color
) -> str:
    """Return the script of the labels that say where the list is.

    Parameters
    ----------
    where : tuple of str
        Labels that receive the list's position, its selected entry and its length.
    span : str
        Label that says which entries are shown.
    rows : tuple of str
        Surface of each row.
    on, off : Color
        Of the row that is selected, and of the others.
    """
    position, selected, length = where
    names = ", ".join(map(_string, rows))
    return f"""local names = {{ {names} }}
function onValueChanged(key)
  if key ~= 'text' then return end
  local all = self.parent.children
  local first = tonumber(all[{_string(position)}].values.text) or 0
  local chosen = tonumber(all[{_string(selected)}].values.text) or -1
  local length = tonumber(all[{_string(length)}].values.text) or 0
  local last = math.min(first + #names, length)
  all[{_string(span)}].values.text = length > 0
    and string.format('%d to %d of %d', math.min(first + 1, last), last, length) or 'no tracks'
  for i, name in ipairs(names) do
    all[name].color = chosen - first + 1 == i and {_color(on)} or {_color(off)}
  end
end"""


def scroll(position: str, length: str, address: str, rows: int) -> str:
    """Return the script of a button that moves the list by so many rows."""
    return f"""function onValueChanged(key)
  if key ~= 'x' or self.values.x < 0.5 then return end
  local all = self.parent.children
  local first = tonumber(all[{_string(position)}].values.text) or 0
  local length = tonumber(all[{_string(length)}].values.text) or 0
  local to = math.max(0, math.min(length - 1, first + {rows}))
  sendOSC({{ {_string(address)}, {{ {{ tag = 'i', value = to }} }} }})
end"""


def select(position: str, address: str, row: int) -> str:
    """Return the script of a row: select its entry, counted from the first that is shown."""
    return f"""function onValueChanged(key)
  if key ~= 'x' or self.values.x < 0.5 then return end
  local first = tonumber(self.parent.children[{_string(position)}].values.text)
  if first then sendOSC({{ {_string(address)}, {{ {{ tag = 'i', value = first + {row} }} }} }}) end
end"""


_CLOCK = """local function clock(v)
  local tenths = math.floor(math.abs(v) * 10 + 0.5)
  local sign = v < 0 and tenths > 0 and '-' or ''
  return string.format('%s%d:%04.1f', sign, math.floor(tenths / 600), tenths % 600 / 10)
end"""


def _show(expression: str) -> str:
    """Return a script that replaces a number by what an expression makes of `v`."""
    return f"""function onValueChanged(key)
  if key ~= 'text' then return end
  local v = tonumber(self.values.text)
  if v == nil then return end
  local shown = {expression}
  if shown ~= self.values.text then self.values.text = shown end
end"""


def _color(color: Color) -> str:
    return f"Color({', '.join(f'{part:g}' for part in color)})"


def _string(text: str) -> str:
    return f"'{text}'"  # names are the desk's: letters, digits, dots and spaces
