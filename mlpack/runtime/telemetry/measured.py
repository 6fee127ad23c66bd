"""Whose request the event loop works for at the moment: CURRENT, so that the model can tell what its answer took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from ..http.messages import Request


class Current:
    """Set whenever the loop goes on with a request. A context variable would cost each request a context."""

    request: Optional[Request] = None


CURRENT = Current()
