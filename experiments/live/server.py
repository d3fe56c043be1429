"""The page of a running comparison, served to this machine alone by the standard library.

Bound to the loopback address, read only, and asked by a name of this machine: a page from elsewhere
that has its own name point here is refused. Two addresses: `/`, and `/state.json` for its script.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from rich.console import Console

from nasarena.experiments.live.progress import LiveProgress
from nasarena.search.errors import InvalidSetting

LOOPBACK = "127.0.0.1"
_PAGE = Path(__file__).parent / "page"


@contextmanager
def open_live(live: int | bool, console: Console) -> Iterator[LiveProgress | None]:
    """What the page shows, while the context lasts; None without `live`, `True` is a free port.

    Raises InvalidSetting for a port that cannot be had.
    """
    if live is False:
        yield None
        return
    progress = LiveProgress()
    page, policy = render_page()
    try:
        server = _LiveServer((LOOPBACK, 0 if live is True else live), progress, page, policy)
    except OSError as error:
        raise InvalidSetting(f"live={live} cannot be served: {error.strerror}") from error
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    console.print(f"live: http://{LOOPBACK}:{server.server_port}/", highlight=False, markup=False)
    try:
        yield progress
    finally:
        progress.end()
        server.shutdown()
        server.server_close()
        thread.join()


@cache
def render_page() -> tuple[str, str]:
    """The page, and the policy that lets its one script read from here alone."""
    from nasarena.figures.report.render import environment_of, policy_hash, read_page

    style = read_page("report.css") + (_PAGE / "live.css").read_text(encoding="utf-8")
    script = (_PAGE / "live.js").read_text(encoding="utf-8")
    template = environment_of("nasarena.experiments.live").get_template("live.html.jinja")
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; style-src {policy_hash(style)}; "
        f"script-src {policy_hash(script)}; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'"
    )
    return template.render(style=style, script=script), policy


class _LiveServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], progress: LiveProgress, page: str, policy: str
    ) -> None:
        super().__init__(address, _Handler)
        self.progress, self.policy, self.page = progress, policy, page
        self.names = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}


class _Handler(BaseHTTPRequestHandler):
    server: _LiveServer
    timeout = 10  # seconds, for a client that sends nothing
    server_version, sys_version = "nasarena", ""

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.names:
            self._answer(403, "text/plain", "asked by another name than this machine's")
        elif self.path == "/":
            self._answer(200, "text/html", self.server.page)
        elif self.path == "/state.json":
            text = json.dumps(self.server.progress.snapshot(), allow_nan=False)
            self._answer(200, "application/json", text)
        else:
            self._answer(404, "text/plain", "there is / and /state.json")

    def _answer(self, code: int, kind: str, text: str) -> None:
        content = text.encode("utf-8", "backslashreplace")
        self.send_response(code)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", self.server.policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:
        """Nothing: the terminal has the table."""
