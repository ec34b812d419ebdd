"""Pages opened in a browser that has no window: what it complains of, and how they look.

`python docs/tools/browser.py runs/site` opens every page of the site, and fails where one complains.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""A browser of this machine, or None."""
ALONE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""A browser that shows a page and does nothing else."""
PATIENCE = 120.0
"""Seconds for a page."""


def complaints(address: str, picture: Path, width: int = 1300, height: int = 1000) -> list[str]:
    """Open a page, keep its picture, and return the lines that it wrote to its console.

    Parameters
    ----------
    address: of the page, such as `file:///tmp/a.html`. picture: a file to write, PNG. width, height: in pixels.
    """
    assert BROWSER is not None, "there is no browser on this machine"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        window = (f"--window-size={width},{height}", f"--user-data-dir={profile}", f"--screenshot={picture}")
        done = subprocess.run(
            [BROWSER, *ALONE, *window, address], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def main(site: str) -> int:
    """Open every page of a folder; return 1 if one complains."""
    pages, bad = sorted(Path(site).resolve().rglob("*.html")), 0
    with tempfile.TemporaryDirectory() as folder:
        for page in pages:
            for line in complaints(page.as_uri(), Path(folder) / "page.png"):
                print(f"{page}: {line}")
                bad += 1
    print(f"{len(pages)} pages, {bad} complaints")
    return 1 if bad or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
