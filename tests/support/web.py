"""The npm package and the page as `tests/js/build.py` built them, and a server for them."""

import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import threading

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILT = "KERAS_DC_WEB"


def folder():
    """The folder of the build; without one a test skips."""
    path = pathlib.Path(os.environ.get(BUILT, ROOT / "build/web"))
    if not (path / "package/keras_dc.wasm").exists():
        command = f"cd tests && python -m js.build {path}"
        pytest.skip(f"not built (needs emscripten and node): {command}")
    if shutil.which("node") is None:
        pytest.skip("not installed: node")
    return path


def site():
    """The folder of the page, with its packages."""
    path = folder() / "site"
    if not path.exists():
        pytest.skip("not built: npm could not get @litertjs/core")
    return path


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """Serves a folder on this machine; gives the address, without a slash at its end."""
    handler = functools.partial(_Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
