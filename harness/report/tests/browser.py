"""A page in a real browser: Debian's Chromium, without a window."""

import html
import json
import os
import pathlib
import re
import subprocess

CHROMIUM = os.environ.get("CHROMIUM", "chromium")


class Page:
    """What a page has become: its document as text, what it said on the console, and what a probe of the test saw."""

    def __init__(self, document, console):
        self.document, self.console = document, console
        found = re.search(r'<pre id="probe">(.*?)</pre>', document, re.DOTALL)
        self.probe = json.loads(html.unescape(found.group(1))) if found else None


def open_page(path, address="", probe=None):
    """Opens a file with `address` (a query, an anchor) behind its name. `probe` is a function in JavaScript that is called
    once the page stands; what it returns is the page's `probe`."""
    path = pathlib.Path(path)
    folder = path.parent
    if probe is not None:
        copy = folder / ("probed." + path.name)
        script = ('<script>{ const seen = (%s)(); const shown = document.createElement("pre"); shown.id = "probe";'
                  ' shown.textContent = JSON.stringify(seen); document.body.append(shown); }</script>' % probe)
        copy.write_text(path.read_text().replace("</body>", script + "</body>"))
        path = copy
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--user-data-dir=" + str(folder / "profile"), "--enable-logging=stderr", "--dump-dom",
         path.resolve().as_uri() + address], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError("chromium ended with %d: %s" % (done.returncode, done.stderr))
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Page(done.stdout, console)
