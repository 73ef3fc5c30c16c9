"""Checks of numbers that applications give, with errors that name the argument and what it may be."""

from __future__ import annotations

import math


def check_positive(*, zero: bool = False, **values: float) -> None:
    """Check that each value is a finite number above 0.

    Args:
        zero: whether 0 is allowed, too.
        values: the numbers, by the names of the arguments.

    Raises:
        ValueError: for the first value that is not, with its name and what is allowed.

    Example:
        `check_positive(interval=0.1)`
    """
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not (0 < value < math.inf or (zero and value == 0)):
            raise ValueError(f"{name} must be a number {'of at least 0' if zero else 'above 0'}, not {value!r}")


def check_whole(*, least: int = 1, **values: int) -> None:
    """Check that each value is a whole number of at least `least`.

    Args:
        least: the smallest value that is allowed.
        values: the numbers, by the names of the arguments.

    Raises:
        ValueError: for the first value that is not, with its name and what is allowed.

    Example:
        `check_whole(max_lines=500)`
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
