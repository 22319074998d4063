"""Builds the documentation as a site: `python docs/build_site.py [DIRECTORY]`; without one, in `site`.

DIRECTORY/html has the result; a browser opens it from the disk or from any server. A page that is not in the site map
and a broken link or anchor fail the build.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from site_map import OUTSIDE, pages_of, site_map
from site_sources import DOCS, PROJECT, BrokenLink, staged

# zensical colours its output even if it is no terminal.
_COLOURS: Final = re.compile("\x1b\\[[0-9;]*m")
_LOGO: Final = re.compile(r'<a href="(?P<href>[^"]*)" (?P<rest>[^>]*data-md-component="logo")')


class BuildFailed(Exception):
    """The reason why the site could not be built, for people."""


def build(directory: Path) -> Path:
    """Build the site and return its directory. Raises BuildFailed."""
    pages, placed = directory / "pages", pages_of(site_map())
    for old in (pages, directory / "html", directory / ".cache"):
        shutil.rmtree(old, ignore_errors=True)
    try:
        files = staged(extra=[page.removeprefix(OUTSIDE) for page in placed if page.startswith(OUTSIDE)])
    except BrokenLink as error:
        raise BuildFailed(f"a link leads nowhere: {error}") from error
    _check_map(placed, {name for name in files if name.endswith(".md")})
    for name, content in files.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_bytes(content)
    configuration = directory / "zensical.yml"  # JSON is YAML
    settings = tomllib.loads((DOCS / "zensical.toml").read_text(encoding="utf-8"))["project"]
    places = {"nav": site_map(), "docs_dir": "pages", "site_dir": "html"}
    configuration.write_text(json.dumps(settings | places), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(configuration)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        output = (done.stdout + done.stderr).partition("Traceback")[0]
        raise BuildFailed(_COLOURS.sub("", output).strip())
    for page in (directory / "html").rglob("*.html"):
        page.write_text(_LOGO.sub(_with_its_page, page.read_text(encoding="utf-8")), encoding="utf-8")
    return directory / "html"


def _with_its_page(logo: re.Match[str]) -> str:
    """Link to index.html instead of its directory: a browser that reads from the disk would list the directory."""
    directory = logo["href"]
    return f'<a href="{directory}{"/" if directory and not directory.endswith("/") else ""}index.html" {logo["rest"]}'


def _check_map(placed: list[str], there: set[str]) -> None:
    if missing := sorted(set(placed) - there):
        raise BuildFailed(f"docs/site_map.py names what is not there: {', '.join(missing)}")
    # Those of elsewhere are read where they are linked to.
    if lost := sorted(name for name in there - set(placed) if not name.startswith(OUTSIDE)):
        raise BuildFailed(f"docs/site_map.py has no place for: {', '.join(lost)}")


def main() -> None:
    """Run the command."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "site"
    try:
        built = build(directory.absolute())
    except BuildFailed as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"{built / 'index.html'}\n")


if __name__ == "__main__":
    main()
