"""Waits for what happens at an unknown time: polls quickly, and fails with the last value."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")


def eventually(look: Callable[[], Value], is_so: Callable[[Value], bool], what: str, seconds: float = 30) -> Value:
    """Polls until `is_so(value)` is true; returns that value. Fails after `seconds` with `what` and the last value."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        value = look()
        if is_so(value):
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {seconds} s: {what}\nlast value: {value!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.4)


def stays(look: Callable[[], Value], is_so: Callable[[Value], bool], what: str, seconds: float = 1.5) -> Value:
    """Checks that `is_so(value)` is true and stays true for `seconds`. Use it for what must *not* happen."""
    deadline = time.monotonic() + seconds
    while True:
        value = look()
        assert is_so(value), f"not so: {what}\nseen: {value!r}"
        if time.monotonic() > deadline:
            return value
        time.sleep(0.1)
