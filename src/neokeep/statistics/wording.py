"""How numbers, shares and names of statistics are written, in the terminal and on the page alike."""

from __future__ import annotations


def number(count: int) -> str:
    """Write a number with its thousands apart: 1,204."""
    return f"{count:,}"


def percent(share: float) -> str:
    """Write a share; what is there is never 0.0%, and what is not all of it never 100.0%."""
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def printable(name: str) -> str:
    """Show a name as it is, but for what would move the cursor, break the line or not be seen at all."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)


def several(count: int, one: str, more: str | None = None) -> str:
    """Write a number of things: 1 node, 1,204 nodes."""
    return f"{number(count)} {one if count == 1 else more or one + 's'}"
