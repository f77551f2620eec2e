"""The signal that a capture cannot be completed consistently and has to start over."""

from __future__ import annotations


class CaptureVoid(Exception):
    """What was captured so far does not fit together; the text says why. The capture starts over, or gives up."""
