"""Draws the results: how many times our cost each peer has, one panel for each work.

The background is opaque, so that the pictures can be read on a dark page, too.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from benchmarks.report import HEADLINE, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.results import Ratio, Results
    from benchmarks.workload import Workload

__all__ = ["draw", "drawHeadline"]

COLUMNS = 2  # so that the letters are as large as the documents' own, on a page 740 pixels wide
WIDTH = 5.2  # inches, of a panel
LINE = 0.24  # inches, for each peer
EXTRA = 0.85  # inches, for a panel's title and scale
CAPTION = 0.45  # inches
TITLE = 52  # letters, in a line of a panel's title

TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)

WHAT = (
    "Cost of the same work, in multiples of twistlike's (of twistlike's on uvloop for peers on "
    "uvloop). A longer bar: twistlike is cheaper by that much."
)

NAMES = {
    "twisted": "Twisted",
    "twisted-asyncio": "Twisted on asyncio",
    "futures": "ThreadPoolExecutor",
    "anyio-uvloop": "anyio on uvloop",
    "asgiref-uvloop": "asgiref on uvloop",
}


def draw(path: Path, workloads: list[Workload], results: Results) -> None:
    """Write the picture of all works and all peers.

    Args:
        path: Where to; its suffix says the format.
        workloads: What may be shown: those of which there are ratios are.
        results: What was measured.
    """
    panels = [
        (workload, ratios) for workload in workloads if (ratios := _ratios(workload, results))
    ]
    _write(path, panels)


def drawHeadline(path: Path, workloads: list[Workload], results: Results) -> None:
    """Write the picture of six works: of each peer its best way.

    Args:
        path: Where to; its suffix says the format.
        workloads: All of them.
        results: What was measured.
    """
    named = {workload.name: workload for workload in workloads}
    panels = []
    for name in HEADLINE:
        if name in named and (ratios := _best(named[name], results)):
            panels.append((named[name], ratios))
    _write(path, panels)


def _ratios(workload: Workload, results: Results) -> dict[str, Ratio]:
    """Return the ratios of a work's peers, by their names."""
    found = {}
    for variant in workload.variants:
        ratio = results.ratio(workload.name, variant.name, True)
        if ratio is not None:
            name = NAMES.get(variant.host, variant.host)
            found[f"{name} {variant.way}".strip()] = ratio
    return found


def _best(workload: Workload, results: Results) -> dict[str, Ratio]:
    """Return of each peer only its cheapest way, without the floors."""
    found: dict[str, Ratio] = {}
    for variant in workload.variants:
        ratio = results.ratio(workload.name, variant.name, True)
        name = NAMES.get(variant.host, variant.host)
        if ratio is None or variant.way == "floor" or "twistlike" in variant.host:
            continue
        if name not in found or ratio.middle < found[name].middle:
            found[name] = ratio
    return found


def _write(path: Path, panels: list[tuple[Workload, dict[str, Ratio]]]) -> None:
    if not panels:
        return
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "twistlike"  # the same picture from the same figures
    from matplotlib import pyplot

    columns = min(COLUMNS, len(panels))
    rows = ceil(len(panels) / columns)
    lines = [
        max(len(ratios) for _, ratios in panels[row * columns : (row + 1) * columns])
        for row in range(rows)
    ]
    heights = [EXTRA + LINE * count for count in lines]
    figure, axes = pyplot.subplots(
        rows,
        columns,
        squeeze=False,
        figsize=(WIDTH * columns, sum(heights) + CAPTION),
        height_ratios=heights,
        layout="constrained",
        facecolor="white",
    )
    figure.suptitle(WHAT, fontsize=10)
    for place, axis in enumerate(axes.flat):
        if place < len(panels):
            _panel(axis, *panels[place], lines[place // columns])
        else:
            axis.set_axis_off()
    options: dict[str, Any] = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
    figure.savefig(path, facecolor="white", **options)
    pyplot.close(figure)


def _panel(axis: Axes, workload: Workload, ratios: dict[str, Ratio], lines: int) -> None:
    """Draw one work, with room for so many lines, so that all bars of a row are of one height."""
    places = range(len(ratios))
    middles = [ratio.middle for ratio in ratios.values()]
    spread = [
        [ratio.middle - ratio.least for ratio in ratios.values()],
        [ratio.most - ratio.middle for ratio in ratios.values()],
    ]
    colours = ["#4c9f70" if middle >= 1 else "#c8553d" for middle in middles]
    axis.barh(places, [middle - 1 for middle in middles], left=1, color=colours, height=0.62)
    axis.errorbar(middles, places, xerr=spread, fmt="none", ecolor="#333333", elinewidth=1)
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    least = min(0.9, *(ratio.least * 0.9 for ratio in ratios.values()), 0.9)
    most = max(2.0, *(ratio.most for ratio in ratios.values()), 2.0)
    axis.set_xlim(least, most * 1.35)  # room for the figure behind the longest bar
    for place, ratio in enumerate(ratios.values()):
        axis.annotate(
            times(ratio.middle),
            (max(ratio.most, 1.0), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.set_yticks(places, list(ratios))
    axis.set_ylim(lines - 0.5, -0.5)
    axis.set_title(fill(workload.title, TITLE), fontsize=9)
    axis.tick_params(labelsize=8)
    shown = [tick for tick in TICKS if least <= tick <= most * 1.35]
    axis.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axis.set_xticks([], minor=True)
    axis.grid(axis="x", linewidth=0.3)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
