"""What the small test image runs: a server of the standard library that does what its variables and the path say."""

import http.server
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import parse_qsl, urlsplit

held: list[bytearray] = []
inside: list[int] = []


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers `/` with what it sees, `/sleep?s=1`, `/eat?mb=100`, `/status?code=500`, `/fetch?url=http://...&token=`."""

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
        seen = {"env": shown, "headers": dict(self.headers), "size": size, "busy": busy}
        if url.path == "/fetch":
            seen["fetched"] = fetch(query["url"], query.get("token", ""))
        body = json.dumps(seen).encode()
        self.send_response(int(query.get("code", 200)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def fetch(url: str, token: str) -> dict[str, object]:
    """What a URL answers; status 0 and the reason if nothing does."""
    headers = {"Metadata-Flavor": "Google"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return {"status": answer.status, "text": answer.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read().decode()}
    except OSError as error:
        return {"status": 0, "text": str(error)}


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
