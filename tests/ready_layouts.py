"""Layouts that several tests look at; each is made and opened once."""

from functools import cache

from touchosc_app import App

from sfa_engine.surfaces.touchosc import layout


@cache
def made(tablet="ipad", version=3):
    """Return the bytes of a layout with everything."""
    return layout(tablet=tablet, version=version)


@cache
def _app(tablet, version):
    return App(made(tablet, version))


def opened(tablet="ipad", version=3):
    """Return a layout in the app, as when it was opened."""
    app = _app(tablet, version)
    app.reset()
    return app
