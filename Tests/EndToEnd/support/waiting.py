"""Waiting for what happens on its own time: poll quickly, fail with what was seen last."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")


def eventually(look: Callable[[], Value], is_so: Callable[[Value], bool], what: str, seconds: float = 30) -> Value:
    """Looks until `is_so(value)`; returns that value. After `seconds` fails, naming `what` and the last value."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        value = look()
        if is_so(value):
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for: {what}\nseen last: {value!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.4)


def stays(look: Callable[[], Value], is_so: Callable[[Value], bool], what: str, seconds: float = 1.5) -> Value:
    """Checks that `is_so(value)` holds, and goes on holding for `seconds`. For what must *not* happen."""
    deadline = time.monotonic() + seconds
    while True:
        value = look()
        assert is_so(value), f"not so: {what}\nseen: {value!r}"
        if time.monotonic() > deadline:
            return value
        time.sleep(0.1)
