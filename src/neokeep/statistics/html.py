"""The statistics as one page of HTML with plots, which needs neither a network nor scripts.

jinja2 is an extra: `pip install 'neokeep[html]'`. It escapes all names: those of labels come from users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neokeep import __version__
from neokeep.extras import MissingExtra
from neokeep.files import explained
from neokeep.statistics.plots import HEIGHT, WIDTH, histogram, store_bars
from neokeep.statistics.wording import number, percent, printable, several
from neokeep.units import format_size

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
except ImportError as missing:
    raise MissingExtra("a page of statistics", "jinja2", "html") from missing

if TYPE_CHECKING:
    from pathlib import Path

    from neokeep.reports import StatisticsReport

DIRECTIONS = {"out": "Outgoing", "in": "Incoming", "all": "In both directions"}


def page_of(report: StatisticsReport) -> str:
    """Make the page."""
    environment = Environment(
        loader=PackageLoader("neokeep.statistics", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": number, "percent": percent, "printable": printable, "size": format_size, "width": _width,
    }  # fmt: skip
    bars, others = store_bars(report.stores)
    return environment.get_template("page.html.jinja").render(
        report=report,
        nodes=report.nodes,
        relationships=report.relationships,
        histograms=[(DIRECTIONS[one.direction], one, histogram(one)) for one in report.degrees],
        several=several,
        plot=(WIDTH, HEIGHT),
        bars=bars,
        other_stores=others,
        version=__version__,
    )


def write_page(report: StatisticsReport, path: Path) -> None:
    """Write the page to a file, in place of one that is there.

    Raises:
        AccessError, SpaceError: it cannot be written.
    """
    with explained("write", path):
        path.write_text(page_of(report), encoding="utf-8")


def _width(share: float) -> str:
    """Give the width of a bar; what is there at all can be seen."""
    return f"{max(0.3, min(100.0, share * 100)) if share else 0:.2f}%"
