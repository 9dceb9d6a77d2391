"""`make screenshots`: a picture of every page, light, dark and on a phone, in tests/artefacts; the best for the README.

The pictures come from an installation of its own in a temporary folder: the demo world and the story of its loop.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import small_png
from tests.browser.chromium import ARGUMENTS, DESK, PHONE, executable

if TYPE_CHECKING:
    from tests.browser.tour import Stop

ROOT = Path(__file__).resolve().parent.parent.parent
ARTEFACTS = ROOT / "tests" / "artefacts"
CHOSEN = ROOT / "docs" / "screenshots"
HEAVIEST_BYTES = 150_000
LOOKS = {
    "light": {"color_scheme": "light", "viewport": DESK},
    "dark": {"color_scheme": "dark", "viewport": DESK},
    "phone": {"color_scheme": "light", "viewport": PHONE},
    "phone-dark": {"color_scheme": "dark", "viewport": PHONE},
}
PERSON = "admin"
_STARTS_WITHIN_S = 60.0


def main(arguments: Sequence[str]) -> int | str:
    """`[FOLDER]`: an installation that an earlier call left there is used again."""
    if executable() is None:
        sys.exit("There is no chromium: apt-get install chromium, or set CHROMIUM to its path.")
    with tempfile.TemporaryDirectory(prefix="donna-screenshots-") as folder:
        port = _free_port()
        _settle(Path(arguments[0] if arguments else folder).resolve(), port=port)
        stops, best = _stops()
        with _server(port) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
            for look in LOOKS:
                _walk(browser, address, stops, look=look)
            _take_best(browser, address, best)
            browser.close()
    heavy = [picture.name for picture in CHOSEN.glob("*.png") if picture.stat().st_size > HEAVIEST_BYTES]
    return f"Too heavy for the repository: {', '.join(heavy)}." if heavy else 0


def _settle(folder: Path, *, port: int) -> None:
    """Make the installation, unless it is there."""
    is_new = not (folder / "db.sqlite3").exists()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        DATABASE_URL=f"sqlite:///{folder}/db.sqlite3",
        DONNA_VAR_DIR=str(folder),
        DONNA_DEMO="yes",
        DONNA_DEMO_SITE=f"127.0.0.1:{port}",
        DONNA_MODEL_ADAPTER="offline",
        PORT=str(port),
        DJANGO_SETTINGS_MODULE="donna_skills.settings",
    )
    _manage("prepare")
    if is_new:
        _manage("demo", "--loop")


def _stops() -> tuple[list[Stop], list[Stop]]:
    """Every page, and those for the README. Django reads the environment as it is imported: hence the late imports."""
    import django

    django.setup()
    from django.conf import settings

    from donna_skills.accounts.models import User
    from tests.browser import tour

    settings.ALLOWED_HOSTS = ["testserver"]
    return tour.stops(User.objects.get(username=PERSON)), tour.best()


def _walk(browser: Browser, address: str, stops: Sequence[Stop], *, look: str) -> None:
    folder = ARTEFACTS / look
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(base_url=address, reduced_motion="reduce", **LOOKS[look])  # type: ignore[arg-type]
    page = context.new_page()
    _enter(page, picture=folder / "login.png")
    for stop in stops:
        _open(page, stop)
        page.screenshot(path=folder / f"{_file_name(stop.name)}.png", full_page=True)
    context.close()


def _take_best(browser: Browser, address: str, best: Sequence[Stop]) -> None:
    """What a visitor sees first of each page, without scrolling."""
    CHOSEN.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(base_url=address, reduced_motion="reduce", **LOOKS["light"])  # type: ignore[arg-type]
    page, blank = context.new_page(), context.new_page()
    _enter(page)
    for stop in best:
        _open(page, stop)
        small_png.keep(page.screenshot(), CHOSEN / f"{stop.name}.png", page=blank)
    context.close()


def _enter(page: Page, *, picture: Path | None = None) -> None:
    from donna_skills.accounts.people import DEMO_PASSWORD

    page.goto("/login/")
    if picture:
        page.screenshot(path=picture)
    page.get_by_label("Username").fill(PERSON)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login/" not in url)


def _open(page: Page, stop: Stop) -> None:
    """Until charts are drawn, and what the page asked for has come."""
    page.goto(stop.path)
    page.wait_for_load_state("networkidle")


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@contextmanager
def _server(port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.conf.py", "--log-level", "warning"]
    process = subprocess.Popen([*command, "donna_skills.wsgi:application"], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/login/")
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    end = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            urlopen(address).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _manage(*arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
