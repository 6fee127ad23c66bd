"""What holds for every test."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background makes them ignore Ctrl-C, and every command that they start too. Ours
# must hear it: several tests send it. A handler here means that what is started begins with the usual behaviour.
signal.signal(signal.SIGINT, signal.default_int_handler)
