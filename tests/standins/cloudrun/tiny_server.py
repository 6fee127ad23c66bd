"""What the small test image runs: a server of the standard library that does what its variables and the path say."""

import http.server
import json
import os
import signal
import sys
import threading
import time
from urllib.parse import parse_qsl, urlsplit

held: list[bytearray] = []
inside: list[int] = []


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers `/` with what it sees, `/sleep?s=1`, `/eat?mb=100`, `/status?code=500`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Read the body and answer as to a GET."""
        self.do_GET(len(self.rfile.read(int(self.headers.get("Content-Length") or 0))))

    def do_GET(self, size: int = 0) -> None:
        """Do what the path says."""
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        inside.append(1)
        busy = len(inside)
        if url.path == "/sleep":
            time.sleep(float(query["s"]))
        inside.pop()
        if url.path == "/eat":
            held.append(bytearray(os.urandom(1 << 20) * int(query["mb"])))
        shown = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("K_") or name in {"PORT", "MARK", "SECRET", "HOSTNAME"}
        }
        body = json.dumps({"env": shown, "headers": dict(self.headers), "size": size, "busy": busy}).encode()
        self.send_response(int(query.get("code", 200)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Start as the variables say: EXIT ends, EAT allocates megabytes, HOST binds elsewhere, DELAY waits first."""
    print("starting", os.environ.get("MARK", ""), flush=True)
    if os.environ.get("EXIT"):
        sys.exit(int(os.environ["EXIT"]))
    if os.environ.get("EAT"):
        held.append(bytearray(os.urandom(1 << 20) * int(os.environ["EAT"])))
    time.sleep(float(os.environ.get("DELAY", "0")))
    server = http.server.ThreadingHTTPServer((os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"])), Handler)
    server.daemon_threads = False  # requests that are here are ended
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
    server.server_close()
    print("ended well", flush=True)


if __name__ == "__main__":
    main()
