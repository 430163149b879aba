"""Errors of the audience platform.

AudienceError       records, segments or identities that contradict each other
"""

from __future__ import annotations


class AudienceError(Exception):
    """Records, segments or identities that contradict each other."""
