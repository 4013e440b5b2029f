"""Draws the results: a panel for each workload, each peer's ratio to twistlike on a log scale."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.results import Ratio, Results
    from benchmarks.workload import Workload

__all__ = ["draw"]

COLUMNS = 3
WIDTH = 5.2  # inches, of a panel
LINE = 0.2  # inches, for each peer
EXTRA = 0.75  # inches, for a panel's title and scale


def draw(path: Path, workloads: list[Workload], results: Results) -> None:
    """Write the picture.

    Args:
        path: Where to; its suffix says the format.
        workloads: What may be shown: those of which there are ratios are.
        results: What was measured.
    """
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "twistlike"  # the same picture from the same figures
    from matplotlib import pyplot

    panels = [
        (workload, ratios) for workload in workloads if (ratios := _ratios(workload, results))
    ]
    if not panels:
        return
    rows = ceil(len(panels) / COLUMNS)
    heights = [
        EXTRA + LINE * max(len(ratios) for _, ratios in panels[row * COLUMNS : (row + 1) * COLUMNS])
        for row in range(rows)
    ]
    figure, axes = pyplot.subplots(
        rows,
        COLUMNS,
        squeeze=False,
        figsize=(WIDTH * COLUMNS, sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for place, axis in enumerate(axes.flat):
        if place < len(panels):
            _panel(axis, *panels[place])
        else:
            axis.set_axis_off()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _ratios(workload: Workload, results: Results) -> dict[str, Ratio]:
    found = {}
    for variant in workload.variants:
        ratio = results.ratio(workload.name, variant.name, True)
        if ratio is not None:
            found[variant.name] = ratio
    return found


def _panel(axis: Axes, workload: Workload, ratios: dict[str, Ratio]) -> None:
    places = range(len(ratios))
    middles = [ratio.middle for ratio in ratios.values()]
    errors = [
        [ratio.middle - ratio.least for ratio in ratios.values()],
        [ratio.most - ratio.middle for ratio in ratios.values()],
    ]
    colours = ["tab:green" if middle >= 1 else "tab:red" for middle in middles]
    axis.barh(places, [middle - 1 for middle in middles], left=1, color=colours, alpha=0.45)
    axis.errorbar(middles, places, xerr=errors, fmt="k.", markersize=4, elinewidth=1)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_xscale("log")
    axis.set_xlim(
        min(0.5, *(r.least * 0.9 for r in ratios.values()), 1.0),
        max(2.0, *(r.most * 1.15 for r in ratios.values()), 1.0),
    )
    axis.set_yticks(places, list(ratios))
    axis.invert_yaxis()
    axis.set_title(workload.title, fontsize=10)
    axis.tick_params(labelsize=8)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: "")
    axis.grid(axis="x", which="both", linewidth=0.3)
