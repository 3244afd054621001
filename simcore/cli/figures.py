"""Numbers for people: a few significant digits, units that fit the size."""

from __future__ import annotations

import math


def figure(value: float | None, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, thousands separated; "-" for what is no number."""
    if value is None or not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 15 or size < -4:
        return f"{value:.{digits - 1}e}"
    rounded = round(value, digits - 1 - size)
    return f"{rounded:,.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def whole(value: int) -> str:
    """Return a count in full, thousands separated."""
    return f"{value:,}"


def percent(share: float | None) -> str:
    """Return a share as per cent with three significant digits; what is not quite all is not rounded up to it."""
    if share is not None and 0.9995 <= share < 1.0:
        return ">99.9 %"
    text = figure(None if share is None else 100.0 * share)
    return text if text == "-" else f"{text} %"


def size(count: float) -> str:
    """Return a number of bytes in the largest binary unit that it fills."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{figure(count)} {unit}"
        count /= 1024
    return f"{figure(count)} TiB"


def duration(seconds: float) -> str:
    """Return a time span in words that fit its length."""
    if not math.isfinite(seconds):
        return "-"
    if seconds < 60:
        return f"{figure(seconds)} s"
    minutes = round(seconds / 60)
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
