"""A server that tells what it may do, and does what it is asked: the service inside the engine tests' image."""

import json
import os
import pathlib
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """`/` tells; `/eat/N` holds N MiB for a moment."""

    def do_GET(self) -> None:
        """Answer."""
        if self.path.startswith("/eat/"):
            held = bytearray(int(self.path.rpartition("/")[2]) * 1024 * 1024)
            for at in range(0, len(held), 4096):
                held[at] = 1
            told: dict[str, object] = {"held": len(held)}
        else:
            told = facts()
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def facts() -> dict[str, object]:
    """What the kernel says of this process, and where it may write."""
    status = dict(
        line.split(":\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines() if ":\t" in line
    )
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "effective": status["CapEff"],
        "bounding": status["CapBnd"],
        "no_new_privileges": status["NoNewPrivs"],
        "root": writable("/app/x"),
        "tmp": writable("/tmp/x"),
        "tmp_bytes": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
        "greeting": os.environ.get("GREETING"),
        "port": os.environ["PORT"],
    }


def writable(path: str) -> bool:
    """Whether a file can be made there."""
    try:
        pathlib.Path(path).write_text("x")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print("probe is up", flush=True)
    print("and says so on stderr", file=sys.stderr, flush=True)
    HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
