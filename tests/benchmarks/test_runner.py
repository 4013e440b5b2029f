"""How processes are paired, and what is made of their figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report import asText, fullTables, headlineTable, verdicts, writeBetween
from benchmarks.results import BUSY, Pair, Ratio, Results, Sample
from benchmarks.runner import Runner, chooseWorkloads
from benchmarks.workload import Bench, Workload
from benchmarks.workloads import WORKLOADS

flood = WORKLOADS["calls.flood"]


def sample(variant: str, *values: float, size: int = 10, cpu: int | None = 1) -> Sample:
    """A sample of the flood; its CPU time is half of its wall time."""
    return Sample(flood.name, variant, size, cpu, list(values), [value / 2 for value in values])


def workload() -> Workload:
    """A workload that three peers can do."""
    made = Workload("made", "made up", 10, expect=lambda size: None, goals={"twisted": 2})

    def nothing(bench: Bench) -> None:
        """Do nothing."""

    made.variant("twistlike", "twisted", "asyncio", "futures")(nothing)
    return made


def test_each_peer_has_ours_right_before_or_after_it() -> None:
    """In each group of processes there is one of ours, next to each peer."""
    runner = Runner([workload()], [], rounds=3, cpu=0)
    for group in runner.plan():
        names = [task.variant.name for task in group]
        assert names.count("twistlike") == 1
        place = names.index("twistlike")
        assert all(abs(place - other) == 1 for other in range(len(names)) if other != place)


def test_each_peer_is_measured_in_each_round() -> None:
    """As many pairs of each peer as there are rounds, and peers change places."""
    runner = Runner([workload()], [], rounds=3, cpu=0)
    names = [[task.variant.name for task in group] for group in runner.plan()]
    for peer in ("twisted", "asyncio", "futures"):
        assert sum(peer in group for group in names) == 3
    orders = [names[number : number + 2] for number in range(0, len(names), 2)]
    assert orders[0] != orders[1] != orders[2]


def test_only_the_wanted_peers() -> None:
    """--peers leaves out the others; with none left ours is measured alone."""
    (group,) = Runner([workload()], ["twisted"], rounds=1, cpu=0).plan()
    assert [task.variant.name for task in group] == ["twisted", "twistlike"]
    (group,) = Runner([workload()], ["nobody"], rounds=1, cpu=0).plan()
    assert [task.variant.name for task in group] == ["twistlike"]


def test_only_the_wanted_workloads() -> None:
    """--only takes names, what stands before the dot, and patterns."""

    def chosen(*patterns: str) -> list[str]:
        return [each.name for each in chooseWorkloads(WORKLOADS.values(), list(patterns), False)]

    assert chosen() == list(WORKLOADS)
    assert chosen("import") == ["import"]
    assert chosen("timers") == [name for name in WORKLOADS if name.startswith("timers.")]
    assert chosen("*.flood?", "floor") == ["calls.flood4", "floor"]


def test_ratios_are_taken_pair_by_pair() -> None:
    """The ratio is the median of the pairs' ratios, not the ratio of medians."""
    results = Results(
        [
            Pair(sample("twistlike", 1.0), sample("twisted", 10.0)),
            Pair(sample("twistlike", 5.0), sample("twisted", 40.0)),  # a slow moment, for both
            Pair(sample("twistlike", 1.0), sample("twisted", 12.0)),
        ]
    )
    assert results.ratio(flood.name, "twisted", True) == Ratio(10.0, 8.0, 12.0)
    assert results.ratio(flood.name, "twisted", False) is None
    assert results.cost(flood.name, "twistlike", True) == 1.0


def test_a_sample_that_two_pairs_share_counts_once() -> None:
    """Ours stands between two peers; its cost counts once."""
    shared = sample("twistlike", 3.0)
    results = Results([Pair(shared, sample("twisted", 9.0)), Pair(shared, sample("asyncio", 6.0))])
    assert results.samples(flood.name, "twistlike", True) == [shared]


def test_growth_takes_the_best_run_of_each_size() -> None:
    """Interference only adds time, so the least of each size is compared."""
    results = Results(
        growth=[
            sample("twistlike", 1.0, 9.0, size=10),
            sample("twistlike", 1.1, 9.0, size=100),
            sample("twistlike", 1.2, 9.0, size=1000),
        ]
    )
    growth = results.growthOf(flood)
    assert growth is not None
    assert growth.sizes == (10, 100, 1000)
    assert growth.worst == pytest.approx(1.2)


def test_a_busy_machine_is_seen() -> None:
    """Pinned processes whose wall time is much above their CPU time had to share the CPU."""
    shared = Results([Pair(sample("twistlike", 1.0), sample("twisted", 10.0))])
    assert shared.waited == 2.0
    quiet = Sample(flood.name, "twistlike", 10, 1, [1.0], [0.99])
    assert Results([Pair(quiet, quiet)]).waited < BUSY


def test_goals_are_compared() -> None:
    """A goal is reached or missed by the median."""
    results = Results([Pair(sample("twistlike", 1.0), sample("twisted", 10.0))])
    (verdict,) = verdicts([flood], results)
    assert not verdict.met
    results = Results([Pair(sample("twistlike", 1.0), sample("twisted", 12.0))])
    (verdict,) = verdicts([flood], results)
    assert verdict.met


@pytest.mark.parametrize(
    ("name", "host", "goal"),
    [
        ("network.echo-100x64", "asyncio", 0.95),
        ("network.echo-100x64", "uvloop", 0.88),
        ("network.echo-100x64", "twisted", 1.3),
        ("network.secure-echo-100x64", "twisted", 1.4),
        ("network.connection", "twisted", 1.0),
        ("memory.connection", "twisted", 1 / 1.15),
    ],
)
def test_the_goals_of_the_network_are_not_reciprocals(name: str, host: str, goal: float) -> None:
    """A peer a little cheaper than the goal times ours is missed; a little dearer, reached."""
    chosen = WORKLOADS[name]
    ours = chosen.named(host).against
    for cost, met in ((0.95 * goal, False), (1.05 * goal, True)):
        pair = Pair(
            Sample(name, ours, 10, 1, [1.0], [1.0]), Sample(name, host, 10, 1, [cost], [cost])
        )
        assert [verdict.met for verdict in verdicts([chosen], Results([pair]))] == [met]


def test_tables_stand_between_the_markers(tmp_path: Path) -> None:
    """What is between the markers is replaced, and nothing else."""
    results = Results(
        [Pair(sample("twistlike", 1e-6), sample("twisted", 12e-6))], machine={"platform": "here"}
    )
    document = tmp_path / "README.md"
    text = "above\n<!-- benchmarks:begin -->\nold\n<!-- benchmarks:end -->\nbelow\n"
    document.write_text(text, encoding="utf-8")
    writeBetween(document, headlineTable([flood], results))
    written = document.read_text(encoding="utf-8")
    assert written.startswith("above\n<!-- benchmarks:begin -->\n")
    assert written.endswith("<!-- benchmarks:end -->\nbelow\n")
    assert "old" not in written
    assert "| callFromThread, a flood from 1 thread | 1 µs | 12.0 |" in written
    assert any("twisted" in line for line in fullTables([flood], results))


def test_the_text_ends_with_the_table() -> None:
    """Without --check the last lines are one row for each work; goals come after it, if asked."""
    results = Results([Pair(sample("twistlike", 1e-6), sample("twisted", 2e-6))])
    *_, head, row = asText([flood], results, goals=False)
    assert head.split()[:3] == ["work", "twistlike", "Twisted"]
    assert row.split() == [*flood.title.split(), "1", "µs", "2.0"]
    *_, row, empty, verdict = asText([flood], results, goals=True)
    assert (row.split()[-1], empty, verdict.split()[0]) == ("2.0", "", "MISSED")


def test_missing_markers_are_an_error(tmp_path: Path) -> None:
    """A document without the markers is left alone, and the error names them."""
    document = tmp_path / "README.md"
    document.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="benchmarks:begin"):
        writeBetween(document, iter(["a table"]))
    assert document.read_text(encoding="utf-8") == "nothing\n"


def test_figures_are_read_by_pyperf(tmp_path: Path) -> None:
    """The JSON file is a suite of pyperf's."""
    pyperf = pytest.importorskip("pyperf")
    results = Results(
        [Pair(sample("twistlike", 1e-6, 2e-6), sample("twisted", 12e-6))],
        growth=[sample("twistlike", 1e-6, size=1000)],
    )
    file = tmp_path / "results.json"
    results.toPyperf({flood.name: "second"}).dump(str(file))
    suite = pyperf.BenchmarkSuite.load(str(file))
    names = suite.get_benchmark_names()
    assert "calls.flood, twisted, pinned" in names
    assert suite.get_benchmark("calls.flood, twistlike, pinned").median() == pytest.approx(1.5e-6)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    """A panel for a workload, as SVG, the same for the same figures."""
    pytest.importorskip("matplotlib")
    from benchmarks.plot import draw

    results = Results([Pair(sample("twistlike", 1e-6), sample("twisted", 12e-6))])
    pictures = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for picture in pictures:
        draw(picture, [flood], results)
    assert "<svg" in pictures[0].read_text(encoding="utf-8")
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
