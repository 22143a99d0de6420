"""`sfa layout`: surfaces of other programs, generated from the desk."""

from __future__ import annotations

from pathlib import Path

import click

from sfa_engine.errors import Refused


@click.group()
def layout() -> None:
    """Make a layout of another program, with all that the desk has."""


@layout.command()
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Where it goes; a name that ends in .tosc.")  # fmt: skip
@click.option("--format", "version", type=click.Choice(["3", "6"]), default="3", show_default=True,
              help="Of the file; 6 is TouchOSC 1.5's own: older ones may refuse it.")  # fmt: skip
@click.option("--tablet", default="ipad", show_default=True, metavar="NAME",
              help="Screen that it is made for: ipad or phone; see `sfa layout list`.")  # fmt: skip
@click.option("--pages", default="", metavar="LIST",
              help="Pages and their order: mixer,decks,pads; all if left out.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), default=9000, show_default=True,
              help="Port on which TouchOSC receives.")  # fmt: skip
def touchosc(output: Path, version: str, tablet: str, pages: str, port: int) -> None:
    """Write a layout for TouchOSC: `sfa layout touchosc -o deck.tosc`."""
    from sfa_engine.surfaces import touchosc as surface
    from sfa_engine.system.atomic import write_durably

    if output.suffix.lower() != ".tosc":
        raise Refused(f"{output} is no name that TouchOSC opens", "end it in .tosc")
    chosen = [name for word in pages.split(",") if (name := word.strip())]
    file = surface.layout(
        tablet=tablet, pages=chosen, port=port, version=6 if version == "6" else 3
    )
    try:
        write_durably(output, file)
    except OSError as error:
        raise Refused(f"{output} cannot be written: {error.strerror}", "choose another") from None
    click.echo(f"{output}  {len(file) / 1000:.0f} kB; receives on port {port}")


@layout.command(name="list")
def list_() -> None:
    """List the screens and pages that a layout may have."""
    from sfa_engine.surfaces.touchosc import PAGES, TABLETS

    for name, tablet in TABLETS.items():
        click.echo(f"tablet  {name:9}  {tablet.width} x {tablet.height} points")
    for name, page in PAGES.items():
        sentence = (page.__doc__ or "").partition("\n")[0]
        click.echo(f"page    {name:9}  {sentence}")
