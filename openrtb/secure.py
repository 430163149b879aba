"""What a page served over TLS may load: `https`, and this machine's own addresses (W3C Secure Contexts)."""

from __future__ import annotations

import re

_LOCAL = re.compile(r"http://(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?=[:/?#]|$)", re.IGNORECASE)


def loads_securely(url: str) -> bool:
    """Whether a secure page may load *url*."""
    return not url.lower().startswith("http://") or _LOCAL.match(url) is not None
