"""`sfa render`: a mix as text into a sound file, faster than real time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfa_engine.cli.options import RATE, json_option
from sfa_engine.cli.terminal import print_json
from sfa_engine.errors import Refused

if TYPE_CHECKING:
    from sfa_engine.script.render import Watch
    from sfa_engine.script.script import Script


@click.command()
@click.argument("script", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--rate", type=RATE, default=48_000, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def render(script: Path, output: Path, rate: int, quiet: bool, as_json: bool) -> None:
    """Render a script of a mix into a file, faster than real time."""
    from sfa_engine.cli import screen
    from sfa_engine.host.build import provenance
    from sfa_engine.library.places import Places
    from sfa_engine.run import config as configuration
    from sfa_engine.script.bundles import with_bundles
    from sfa_engine.script.script import parse_script

    try:
        text = script.read_text()
    except OSError as error:
        raise Refused(f"{script} cannot be read: {error.strerror}", "name a script") from None
    except UnicodeDecodeError:
        raise Refused(f"{script} is not a text", "name a script; `sfa demo` writes one") from None
    config = configuration.load_config()
    places = Places(configuration.data_path(), configuration.library_path(config))
    parsed = with_bundles(parse_script(text, script.resolve().parent), places)
    screen.build_kernel(quiet=quiet)
    peak = render_script(parsed, output, rate, quiet=quiet)
    if as_json:
        frames = round(parsed.end_s * rate)
        print_json({"file": str(output), "frames": frames, "peak": peak, **provenance()})
    else:
        click.echo(f"{output}: {parsed.end_s:.1f} s, peak {_decibels(peak)}")


def render_script(
    script: Script, output: Path, rate: int, *, quiet: bool, watch: Watch | None = None
) -> float:
    """Render a script into a file, with a progress bar; return its peak.

    The file says which version, kernel and CPU it was rendered by.
    """
    from sfa_engine.cli import screen
    from sfa_engine.host.build import provenance
    from sfa_engine.script.render import perform, write_wav

    comment = "sfa-engine {version}, kernel {kernel}, CPU {cpu}".format(**provenance())
    with screen.progress_bar("rendering", quiet=quiet) as bar:
        pieces, frames = perform(script, rate, watch=watch), round(script.end_s * rate)
        return write_wav(output, pieces, rate, frames, bar, comment=comment)


def _decibels(peak: float) -> str:
    return f"{20 * math.log10(peak):.1f} dB" if peak > 0 else "silence"
