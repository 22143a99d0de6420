"""The build of wheel and sdist: both contain the web UI. Everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

PAGE = Path("sfa_engine", "web", "page")


def check_page() -> None:
    """Stop without a web UI: a wheel without it would have none on any machine."""
    if not (PAGE / "page.json").exists():
        raise SystemExit(f"{PAGE} is not built: run `make page`, then build again")


class BuildPackage(build_py):
    """Checks for the web UI, and leaves out files of older builds of it."""

    def run(self) -> None:
        if not self.editable_mode:
            check_page()
            shutil.rmtree(Path(self.build_lib) / PAGE, ignore_errors=True)
        super().run()


class BuildSource(sdist):
    """Checks for the web UI."""

    def run(self) -> None:
        check_page()
        super().run()


setup(cmdclass={"build_py": BuildPackage, "sdist": BuildSource})
