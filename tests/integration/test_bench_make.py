"""What `make bench` is made of: the arithmetic, the plots, the page, and that nothing of a run stays behind.

No test here looks at a figure that was measured.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "bench" / "comparison"
sys.path.insert(0, str(SCRIPTS))

import by_load  # noqa: E402
import document  # noqa: E402
import limits  # noqa: E402
import model  # noqa: E402
import peers  # noqa: E402
import plot  # noqa: E402
import rows_memory  # noqa: E402
import rows_messages  # noqa: E402
import rows_secure  # noqa: E402
import secure_peers  # noqa: E402
import summary  # noqa: E402
import workspace as workspaces  # noqa: E402
from peer.kesherd import program  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


# ---- arithmetic ----


def test_bench_medians():
    assert summary.median([3, 1, 2]) == 2
    assert summary.median([4, 1, 3, 2]) == 2.5
    with pytest.raises(ValueError):
        summary.median([])


def test_bench_summary_takes_each_median_and_leaves_out_what_a_round_lacks():
    found = summary.summarize([{"value": 10, "cpu": 1}, {"value": 30, "cpu": 3, "late": 9}, {"value": 20, "cpu": 5}])
    assert found == {"value": 20, "cpu": 3, "least": 10, "most": 30, "rounds": 3}
    assert summary.spread(found) == 0.5


def test_bench_ratio_is_above_one_when_ours_is_better():
    assert summary.ratio(300, 100, "more") == 3
    assert summary.ratio(100, 300, "less") == 3
    assert summary.ratio(0, 300, "less") is None


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.2345, "1.23"), (12.345, "12.3"), (123.45, "123"), (12345, "12\u202f345")],
)
def test_bench_digits_that_matter(number, text):
    assert summary.digits(number) == text


def test_bench_units():
    assert summary.short(65536, True) == "64 KiB"
    assert summary.short(20000) == "20 k"
    assert summary.span(88_000, 140_000) == "88–140 k"
    assert summary.span(900, 1100) == "900–1.1 k"
    assert summary.span(900, 950) == "900–950"
    assert summary.span(1000, 1000) == "1 k"
    assert summary.duration(1500) == "1.50 ms"
    assert summary.duration(2_500_000) == "2.50 s"


# ---- targets ----


def _row(better="more", targets=()):
    return model.Row("row", "Row", "What.", [model.Metric("value", "throughput", "things/s", better)],
                     [model.Contender("kesher", None, None, model.OURS)], {}, list(targets))


def _found(**values):
    return {name: {"summary": None if value is None else {"value": value}} for name, value in values.items()}


def test_bench_target_is_judged_against_the_best_peer():
    target = model.Target("twice the best", ("a", "b"), 2.0)
    row = _row(targets=[target])
    judged = model.judge(row, target, _found(kesher=100, a=40, b=50))
    assert (judged["met"], judged["best"], judged["ratio"]) == (True, "b", 2.0)
    assert model.judge(row, target, _found(kesher=99, a=40, b=50))["met"] is False


def test_bench_target_without_a_measurement_is_not_met_by_silence():
    target = model.Target("twice the best", ("a", "b"), 2.0)
    row = _row(targets=[target])
    assert model.judge(row, target, _found(kesher=100, a=40, b=None))["met"] is None
    assert model.judge(row, target, _found(kesher=None, a=40, b=50))["met"] is None


def test_bench_target_with_a_bound():
    target = model.Target("at most 512", bound=512)
    assert model.judge(_row("less"), target, _found(kesher=512))["met"] is True
    assert model.judge(_row("less"), target, _found(kesher=513))["met"] is False
    assert model.judge(_row("more"), target, _found(kesher=511))["met"] is False


def _late(**values):
    return {name: {"summary": {"value": 1, "latency_p99_us": value}} for name, value in values.items()}


def test_bench_target_on_the_tail_is_met_by_less():
    target = model.tail_target("not later", ("a", "b"))
    row = _row(targets=[target])
    row.metrics = model.rate_metrics("things/s", "thing")
    judged = model.judge(row, target, _late(kesher=400, a=500, b=400))
    assert (judged["met"], judged["best"], judged["ours"], judged["theirs"]) == (True, "b", 400, 400)
    judged = model.judge(row, target, _late(kesher=500, a=500, b=400))
    assert (judged["met"], judged["best"], judged["ratio"]) == (False, "b", 0.8)
    assert model.judge(row, target, _found(kesher=1, a=1, b=1))["met"] is None, "no latency, no verdict"


@pytest.mark.parametrize("name", sorted(set(rows_messages.ROWS) - {"waiting"}))
def test_bench_rows_of_requests_have_a_target_on_the_tail(name):
    row = rows_messages.ROWS[name](None)
    (target,) = [target for target in row.targets if target.metric == "latency_p99_us"]
    assert target.against == row.rivals and target.factor == 1 and row.can_be_pinned
    names = {contender.name: contender.kind for contender in row.contenders}
    assert all(names[rival] == model.PEER for rival in row.rivals)
    assert ("Mosquitto" in row.rivals) == name.startswith("group"), "messages: it keeps them in memory"
    (curve,) = [curve for curve in row.curves if curve.parameter in ("connections", "members")]
    loads = [2, 10, 50, 100, 200, 1000] if name.startswith("group") else [1, 16, 50, 200, 1000]
    assert (curve.loads, curve.rounds) == (loads, 3)


@pytest.mark.parametrize(
    ("name", "members", "window", "factor", "pinned"),
    [("secure-group-1", 100, 1, 1.0, True), ("secure-group-wide", 100, 256, 1.5, False),
     ("secure-group-1-1000", 1000, 1, 1.0, True), ("secure-group-wide-1000", 1000, 256, 1.5, False)],
)
def test_bench_secure_groups_are_beside_others_with_tls(name, members, window, factor, pinned):
    row = rows_secure.ROWS[name](None)
    (target,) = row.targets
    assert row.name == name and (row.load["members"], row.load["window"], row.is_pinned) == (members, window, pinned)
    assert (target.against, target.factor, target.metric) == (("NATS", "Mosquitto", "ngIRCd"), factor, "value")
    assert {contender.name for contender in row.contenders} == {"kesher", *target.against}
    assert all(isinstance(contender.peer, secure_peers.WithTls) for contender in row.contenders)


def test_bench_secure_rows_against_nginx_and_who_else_has_idle_connections():
    handshakes, idle = rows_secure.ROWS["handshakes"](None), rows_secure.ROWS["secure-idle"](None)
    assert [(target.against, target.factor) for target in handshakes.targets] == [(("nginx",), 1.0)]
    assert {contender.name: contender.kind for contender in handshakes.contenders}["openssl speed"] == model.LIMIT
    assert [target.against for target in idle.targets] == [("nginx", "Mosquitto", "Redis")]
    assert idle.load == {"connections": 10000} and idle.metrics[0].better == "less"


# ---- what the machine allowed ----

_SAME = [{"round": "round 1", "echo": 100_000, "sync": 5000.0}, {"round": "the end", "echo": 120_000, "sync": 5500.0}]
_OTHER = [*_SAME, {"round": "round 2", "echo": 88_000, "sync": 5200.0}]


def test_bench_limits_that_changed_by_more_than_a_fifth():
    assert limits.changed(_SAME) == [] and limits.complaint(_SAME) == ""
    assert [limit.key for limit in limits.changed(_OTHER)] == ["echo"]
    assert limits.complaint(_OTHER) == "the machine was not the same throughout: bare echo 88–120 k/s"
    assert limits.described(_OTHER, "echo") == "100 k (88–120 k)"
    assert limits.described(_OTHER, "compute") == "–"
    assert limits.summed_up(_SAME) == "bare echo 110 k (100–120 k)/s, write and sync 5.25 k (5–5.5 k)/s"
    assert limits.changed([]) == [] and limits.summed_up([]) == ""


def test_bench_limits_are_measured_but_what_fails_is_told(workspace):
    figures, reasons = limits.measure(workspace)  # there is no kesher-bench in its build
    assert figures["sync"] > 0 and figures["compute"] > 0
    assert [reason.split(":")[0] for reason in reasons] == ["limit echo"]
    assert str(workspace.path) not in reasons[0]


def test_bench_row_in_which_the_machine_changed_is_marked(canned):
    page = document.markdown(canned)
    assert "In none of 1 rows" in page and "machine changed" not in page
    canned["rows"][0]["limits"] = _OTHER
    page = document.markdown(canned)
    assert "In 1 of 1 rows" in page and "[Some work](#work) *(machine changed)* |" in page
    assert "**The machine was not the same throughout: bare echo 88–120 k/s.**" in page
    assert "| [Some work](#work) | 100 k (88–120 k) | 5.2 k (5–5.5 k) | – | bare echo |" in page
    canned["rows"][0]["limits"] = []
    assert "How fast the machine was" not in document.markdown(canned)


# ---- by load ----


def _tail(value, late):
    return {"value": value, "latency_p99_us": late}


def test_bench_verdict_at_a_load():
    peers_ = [_tail(100.0, 900.0), _tail(80.0, 400.0)]
    assert by_load.judged(_tail(100.0, 500.0), peers_, "value", "more") == (True, 1.0)
    assert by_load.judged(_tail(99.0, 500.0), peers_, "value", "more") == (False, 0.99)
    assert by_load.judged(_tail(99.0, 400.0), peers_, "latency_p99_us", "less") == (True, 1.0)
    assert by_load.judged(_tail(99.0, 500.0), peers_, "latency_p99_us", "less") == (False, 0.8)
    assert by_load.judged(_tail(99.0, 500.0), [{"value": 1}], "latency_p99_us", "less") is None
    assert by_load.judged(None, peers_, "value", "more") is None


def test_bench_table_by_load_tells_who_is_better(canned):
    row = canned["rows"][0]
    row["rivals"] = ["Slow", "Good"]
    row["curves"][0]["lines"] = {
        "kesher": [[1, _tail(30.0, 50.0)], [100, _tail(30e3, 2000.0)], [9000, _tail(5.0, 1.0)]],
        "Slow": [[1, _tail(10.0, 40.0)]],
        "Good": [[1, _tail(20.0, 90.0)], [100, _tail(40e3, 2500.0)]]}
    page = document.markdown(canned)
    assert "By load: things/s and 99th percentile, kesher beside Slow, Good:" in page
    assert "| load | kesher | Slow | Good | throughput | 99th percentile |" in page
    assert "| 1 | 30, 50.0 µs | 10, 40.0 µs | 20, 90.0 µs | ✓ 1.50 | ✗ 0.80 |" in page
    assert "| 100 | 30 k, 2.00 ms | – | 40 k, 2.50 ms | ✗ 0.75 | ✓ 1.25 |" in page
    assert "| 9 k | 5, 1.00 µs | – | – | – | – |" in page, "nobody else carried it"
    assert page.count("✓ says") == 1 and "The plots in numbers" not in page
    assert "Slow did not carry 100: it fell asleep" in page


# ---- plots ----


def _plot(lines, load_kind="count"):
    return plot.Plot('Work & "play" <1>', "load", [plot.Panel("things/s", lines)], load_kind)


def test_bench_plot_is_well_formed_and_has_every_contender():
    lines = [plot.Line("kesher & co", [(1, 10.0), (10, 900.0), (1000, 5e6)], 0, [(10, 800.0, 1000.0)]),
             plot.Line("peer", [(1, 5.0), (1000, 7.0)], 1)]
    root = ElementTree.fromstring(plot.draw(_plot(lines)))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"kesher & co", "peer", 'Work & "play" <1>', "load (logarithmic)", "things/s (logarithmic)"} <= set(texts)
    assert len(list(root.iter(f"{SVG}circle"))) == 5
    assert "prefers-color-scheme:dark" in root.find(f"{SVG}style").text


def test_bench_plot_keeps_points_within_its_frame_and_higher_values_higher():
    line = plot.Line("kesher", [(2, 3.0), (4, 30.0), (5000, 3e6)])
    root = ElementTree.fromstring(plot.draw(_plot([line])))
    at = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{SVG}circle")]
    assert at == sorted(at) and [y for _, y in at] == sorted((y for _, y in at), reverse=True)
    assert all(plot.LEFT <= x <= plot.WIDTH - plot.RIGHT for x, _ in at)
    assert all(plot.TOP <= y <= plot.TOP + plot.PANEL_HEIGHT for _, y in at)


@pytest.mark.parametrize(
    "points", [[(1, 5.0)], [(1, 0.0), (2, 0.0)], [(5, 7.0), (5, 7.0)], [(1024, 1.0), (2**32, 9e9)]]
)
def test_bench_plot_of_odd_values(points):
    for kind in ("count", "bytes"):
        ElementTree.fromstring(plot.draw(_plot([plot.Line("kesher", points)], kind)))


def test_bench_scale_is_linear_within_a_decade():
    scale = plot.Scale([20, 100], 100, 0)
    assert not scale.logarithmic
    assert scale.pixel(0) == 100 and scale.ticks()[0] == 0
    assert plot.Scale([1, 10], 100, 0).logarithmic


# ---- the page ----


def _sample(value):
    return {"value": value, "latency_p50_us": 1500.0, "least": value - 1, "most": value + 1, "rounds": 3}


def _entry(name, kind, value, error=None):
    return {"name": name, "kind": kind, "note": f"note of {name}", "samples": [], "error": error,
            "summary": None if value is None else _sample(value),
            "commands": [f"{name} --server 127.0.0.1:23456 --pid 4321"]}


@pytest.fixture(name="canned")
def fixture_canned():
    entries = [_entry("kesher", "ours", 300.0), _entry("Slow", "peer", 100.0), _entry("Good", "peer", 200.0),
               _entry("Gone", "peer", None, "Gone is not installed"), _entry("wall", "limit", 400.0)]
    targets = [{"text": "at least the best", "metric": "value", "met": True, "ratio": 1.5, "best": "Good",
                "ours": 300.0, "theirs": 200.0},
               {"text": "at least the wall", "metric": "value", "met": False, "ratio": 0.75, "best": "wall",
                "ours": 300.0, "theirs": 400.0},
               {"text": "no later", "metric": "latency_p50_us", "met": False, "ratio": 0.8, "best": "Good",
                "ours": 1500.0, "theirs": 1200.0}]
    lines = {"kesher": [[1, _sample(30.0)], [100, _sample(300.0)]], "Good": [[1, _sample(20.0)], [100, _sample(200.0)]]}
    row = {"name": "work", "title": "Some work", "what": "It works.", "load": {}, "pinned": "apart",
           "limits": _SAME, "rivals": [],
           "metrics": [vars(model.Metric("value", "throughput", "things/s", "more")),
                       vars(model.Metric("latency_p50_us", "latency, median", "µs", kind="microseconds"))],
           "panels": ["value", "latency_p50_us"], "contenders": entries, "targets": targets,
           "curves": [{"parameter": "load", "title": "load", "kind": "count", "heading": "By load", "lines": lines,
                       "lost": {"Slow": [100, "it fell asleep"]}}]}
    return {"rows": [row], "machine": {"Cores": "2"}, "versions": {"Good": "Good 1.0"}, "failures": [],
            "configurations": {"Good, some work": "port = 12345\n", "Good, more work": "port = 54321\n"},
            "arguments": "", "quick": False, "rounds": 3, "date": "2000-01-01", "minutes": 12.3, "neighbour": False}


def test_bench_page_tells_ratios_targets_and_failures(canned):
    page = document.markdown(canned)
    assert "| [Some work](#work) | 300 things/s | Good: 200 | 1.50 | at least the best: met; " in page
    assert "at least the wall: **not met**" in page
    assert "- Target at least the best: met (1.50 × Good)." in page
    assert "- Target no later: **not met** (0.800 × Good: 1.50 ms against 1.20 ms)." in page
    assert re.search(r"^\| Slow \| 100 \| 1 % \| 3\.00 × \| 1\.50 ms \|$", page, re.M)
    assert re.search(r"^\| \*wall\* \| 400 \| 0 % \| 0\.750 × \|", page, re.M)
    assert "Gone could not be measured: Gone is not installed" in page
    assert "Good --server 127.0.0.1:PORT --pid PID" in page
    assert page.count("port = PORT") == 1, "configurations that differ in a port are one"
    assert "bound to cores of their own" in page
    assert "Slow did not carry 100: it fell asleep" in page


def test_bench_page_of_a_quick_run_says_so(canned):
    assert "quick run" not in document.markdown(canned)
    assert "quick run" in document.markdown({**canned, "quick": True})


def test_bench_page_tells_where_programs_ran_and_beside_what(canned):
    assert "busy loop" not in document.markdown(canned)
    assert "busy loop" in document.markdown({**canned, "neighbour": True})
    canned["rows"][0]["pinned"] = "together"
    assert "bound to one and the same core" in document.markdown(canned)
    canned["rows"][0]["pinned"] = "none"
    assert "bound to" not in document.markdown(canned).split("## Some work")[1].split("## ")[0]


def test_bench_page_without_our_own_figure(canned):
    canned["rows"][0]["contenders"][0] = _entry("kesher", "ours", None, "it fell over")
    page = document.markdown(canned)
    assert "| not measured | Good: 200 | – |" in page and "it fell over" in page


def test_bench_page_is_written_from_json_with_its_plots(canned, tmp_path):
    source, output = tmp_path / "bench.json", tmp_path / "docs" / "page.md"
    source.write_text(json.dumps(canned))
    old = output.parent / "page" / "gone.svg"
    old.parent.mkdir(parents=True)
    old.write_text("<svg/>")
    subprocess.run(["/usr/bin/python3", SCRIPTS / "bench.py", "--from", source, "--output", output], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)
    page = output.read_text()
    images = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page)
    assert images == ["page/work-load.svg"]
    assert len(list(ElementTree.parse(output.parent / images[0]).getroot().iter(f"{SVG}polyline"))) == 4
    assert not old.exists()
    for anchor in re.findall(r"\]\(#([^)]+)\)", page):
        assert f'<a id="{anchor}">' in page


def test_bench_page_links_a_target_that_is_not_met_to_its_profile(canned):
    canned["rows"][0]["name"] = "messages"
    lines = [line for line in document.markdown(canned).splitlines() if line.startswith("- Target")]
    assert any("**not met**" in line for line in lines) and any(": met" in line for line in lines)
    for line in lines:
        assert ("](profiles.md#small-durable-messages)" in line) == ("**not met**" in line)


def test_bench_profiles_are_where_the_page_says():
    titles = re.findall("^## (.*)$", (REPOSITORY / "docs" / "profiles.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert anchors >= set(document.PROFILES.values())


@pytest.mark.parametrize(
    ("arguments", "neighbour", "command", "kept"),
    [("--rounds 3", False, "make bench ARGS='--rounds 3'", "build/bench.json"),
     ("--neighbour", True, "make bench ARGS='--neighbour'", "build/bench-busy.json"),
     ("--row ask-1", False, "make bench ARGS='--row ask-1 --output docs/some-rows.md'", "build/bench-part.json")],
)
def test_bench_page_says_by_which_command_it_is_written_again(canned, arguments, neighbour, command, kept):
    page = document.markdown({**canned, "arguments": arguments, "neighbour": neighbour}, "some-rows")
    assert f"\n{command}\n" in page
    assert f"ARGS='--from {kept} --output PAGE'" in page


def test_bench_page_shortens_a_command_with_many_files():
    files = " ".join(f"WORK/source-1000-10/file{i:06}" for i in range(1000))
    assert document.shorten(f"kesher put {files} there") == (
        "kesher put WORK/source-1000-10/file000000 WORK/source-1000-10/file000001 … WORK/source-1000-10/file000999 "
        "there")


# ---- a row ----


class _Workspace:
    """As far as a row without servers needs one."""

    commands = ()

    @staticmethod
    def without_paths(text):
        return text


def test_bench_rows_take_turns_and_one_that_fails_is_left_alone(capsys):
    turns = []

    def contender(name, kind, value):
        def measure(measurement):
            turns.append((name, measurement.load["size"]))
            if value is None or measurement.load["size"] * value > 1000:
                raise workspaces.Failed("it fell over")
            return {"value": value * measurement.load["size"]}
        return model.Contender(name, None, measure, kind)

    row = _row(targets=[model.Target("twice", ("good",), 2.0), model.Target("as good", ("bad",))])
    row.contenders = [contender("kesher", model.OURS, 2.0), contender("good", model.PEER, 1.0),
                      contender("bad", model.PEER, None)]
    row.load = {"size": 10}
    row.curves = [model.Curve("size", "size", [5, 10], [20, 1001, 2000])]
    runner = model.Runner(_Workspace(), rounds=2, quick=False, growth=True)
    result = runner.run(row)
    assert turns[:5] == [("kesher", 10), ("good", 10), ("bad", 10), ("kesher", 10), ("good", 10)]
    assert turns[5:] == [("kesher", 5), ("good", 5), ("kesher", 20), ("good", 20), ("kesher", 1001), ("good", 1001)]
    assert [target["met"] for target in result["targets"]] == [True, None]
    points = {name: [load for load, _ in line] for name, line in result["curves"][0]["lines"].items()}
    assert points == {"kesher": [5, 10, 20], "good": [5, 10, 20]}
    assert result["curves"][0]["lost"] == {name: [1001, "it fell over"] for name in points}
    assert [failure.split(":")[0] for failure in runner.failures] == ["row, bad, round 1", "row, kesher, size 1 k"]
    assert "it fell over" in capsys.readouterr().err
    json.dumps(result)


def test_bench_points_of_a_curve_are_measured_in_rounds():
    turns, gauged = [], []

    def contender(name, kind):
        def measure(measurement):
            turns.append((name, measurement.load["size"]))
            if name == "good" and turns.count((name, 50)) == 2:
                raise workspaces.Failed("it fell over")
            return {"value": len(turns)}
        return model.Contender(name, None, measure, kind)

    def gauge(_workspace):
        gauged.append(len(turns))
        return {"echo": 100 + len(gauged)}, ["limit sync: no disk"]

    row = _row()
    row.contenders, row.load = [contender("kesher", model.OURS), contender("good", model.PEER)], {"size": 10}
    row.curves = [model.Curve("size", "size", [5, 10, 50], [60], rounds=2)]
    runner = model.Runner(_Workspace(), rounds=3, quick=False, growth=True, gauge=gauge)
    result = runner.run(row)
    both = ["kesher", "good"]
    assert turns == [(name, size) for size in (10, 10, 10, 5, 50, 60, 5, 50) for name in both]
    points = {name: [(load, sample["rounds"]) for load, sample in line]
              for name, line in result["curves"][0]["lines"].items()}
    assert points == {"kesher": [(5, 2), (10, 3), (50, 2), (60, 1)], "good": [(5, 2), (10, 3)]}
    assert result["curves"][0]["lost"] == {"good": [50, "it fell over"]}
    assert gauged == [0, 2, 4, 6, 12, 16], "before each round, and at the end"
    assert [found["round"] for found in result["limits"]] == [
        "round 1", "round 2", "round 3", "size, round 1", "size, round 2", "the end"]
    assert "row, the end: limit sync: no disk" in runner.failures


@pytest.mark.parametrize(
    ("asked", "pinned", "unpinned", "other"),
    [(None, "apart", "none", "none"), ("none", "none", "none", "none"), ("apart", "apart", "apart", "none"),
     ("together", "together", "together", "none")],
)
def test_bench_pins_what_was_asked_for(asked, pinned, unpinned, other):
    runner = model.Runner(_Workspace(), rounds=1, quick=True, growth=False, pin=asked)
    rows = rows_messages.ROWS["ask-1"](None), rows_messages.ROWS["messages"](None), rows_memory.ROWS["idle"](None)
    assert tuple(runner.pinning(row) for row in rows) == (pinned, unpinned, other)


@pytest.mark.parametrize(("asked", "awake"), [(None, True), ("none", False), ("together", False)])
def test_bench_keeps_the_generator_awake_where_it_has_a_core_of_its_own(asked, awake):
    told = []

    def measure(measurement):
        told.append(measurement.awake)
        return {"value": 1}

    row = _row()
    row.contenders, row.load = [model.Contender("kesher", None, measure, model.OURS)], {"size": 10}
    row.is_pinned = row.can_be_pinned = True
    model.Runner(_Workspace(), rounds=1, quick=True, growth=False, pin=asked).run(row)
    assert told == [awake]


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 7)])
def test_bench_peers_have_as_many_threads_as_kesherd_has_workers(cores, threads):
    peer = peers.Memcached(None)
    peer.cores = cores
    assert peer.threads == threads


# ---- programs ----


@pytest.fixture(name="workspace")
def fixture_workspace(tmp_path):
    workspace = workspaces.Workspace(tmp_path / "here", tmp_path / "build", REPOSITORY)
    yield workspace
    workspace.close()


def test_bench_stops_what_it_started_and_removes_its_directory(workspace):
    process = workspace.start("sleeper", ["sleep", "600"])
    assert not process.has_ended()
    workspace.close()
    assert process.has_ended() and not workspace.path.exists()


def test_bench_peers_with_tls_have_one_key(workspace):
    made = [kind(workspace) for kind in (secure_peers.SecureKesherd, secure_peers.SecureNginx, secure_peers.SecureRedis,
                                         secure_peers.SecureMosquitto, secure_peers.SecureNats)]
    for peer in made:
        peer.prepare()
        peer.port = 12345
    assert {(peer.certificate, peer.key) for peer in made} == {(made[0].certificate, made[0].key)}
    assert made[0].key.stat().st_mode & 0o777 == 0o600
    told = subprocess.run(["openssl", "x509", "-in", made[0].certificate, "-noout", "-text"], capture_output=True,
                          text=True, timeout=60, check=True).stdout
    assert "prime256v1" in told and "ecdsa-with-SHA256" in told
    for peer in made:
        text = peer.configuration()
        assert "WORK/tls/certificate.pem" in text and "WORK/tls/key.pem" in text, peer.title
        assert "12345" not in document._without_port(text), peer.title
    own = secure_peers.SecureNgircd(workspace)
    own.prepare()
    assert Path(own.key).read_bytes() == made[0].key.read_bytes(), "as the user that it is"


def test_bench_nginx_with_tls_says_so(workspace):
    peer = secure_peers.SecureNginx(workspace, workers="auto")
    peer.prepare()
    peer.port = 12345
    text = peer.configuration()
    for words in ("listen 127.0.0.1:12345 ssl backlog", "worker_processes auto;", "ssl_protocols TLSv1.3;",
                  "ssl_session_tickets off;"):
        assert words in text


def test_bench_counts_signatures(workspace):
    assert limits.signatures(workspace) > 100
    assert workspace.commands == ["openssl speed -seconds 1 -mr ecdsap256"]


def test_bench_neighbours_are_nice_and_end_with_the_run(workspace):
    workspace.start_neighbours()
    pids = [process.pid for process in workspace.processes]
    assert len(pids) == len(os.sched_getaffinity(0))
    while any(os.getpriority(os.PRIO_PROCESS, pid) != 19 for pid in pids):
        time.sleep(0.01)
    sessions = [path for pid in pids if (path := Path(f"/proc/{pid}/autogroup")).exists()]
    assert all(path.read_text().endswith(" nice 19\n") for path in sessions)
    workspace.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_bench_deletes_small_files_only_at_the_end(workspace):
    for _ in range(2):
        small = workspace.directory("small")
        (small / "file").write_bytes(b"small")
    large = workspace.directory("large")
    with (large / "file").open("wb") as file:
        file.truncate(workspaces.LARGE_BYTES + 1)
    for path in (small, large, workspace.path / "nothing"):
        workspace.discard(path)
        assert not path.exists()
    assert [path.read_bytes() for path in workspace.path.rglob("file")] == [b"small", b"small"]
    workspace.close()
    assert not workspace.path.exists()


def test_bench_tells_why_a_program_failed(workspace):
    with pytest.raises(workspaces.Failed, match="sh ended with status 3: no luck in WORK"):
        workspace.run(["sh", "-c", f"echo no luck in {workspace.path} >&2; exit 3"])
    process = workspace.start("short", ["sh", "-c", "echo no port for me"])
    with pytest.raises(workspaces.Failed, match="short did not start: no port for me"):
        workspace.wait_for_port(process, workspaces.free_port())


def test_bench_counts_the_cpu_time_of_children_too(workspace):
    outcome = workspace.run(["sh", "-c", "head -c 30000000 /dev/zero | cksum"])
    assert outcome.cpu_seconds > 0
    assert outcome.output.split()[1] == "30000000"
    process = workspace.start("worker", ["sh", "-c", "head -c 30000000 /dev/zero | cksum; exec sleep 600"])
    while "30000000" not in process.log_text():
        time.sleep(0.01)
    assert workspaces.cpu_seconds(process.pid) > 0


def _command(*arguments):
    build = program("KESHERD", "kesherd").parent
    if not (build / "kesher-bench").exists():
        pytest.skip("kesher-bench is not built")
    return ["/usr/bin/python3", SCRIPTS / "bench.py", "--build", build, *arguments]


def test_bench_quick_run_of_a_row(tmp_path):
    output, found = tmp_path / "page.md", tmp_path / "found.json"
    done = subprocess.run(_command("--quick", "--row", "waiting", "--directory", tmp_path / "work", "--json", found,
                                   "--output", output), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(found.read_text())
    assert result["failures"] == [] and result["rows"][0]["contenders"][0]["summary"]["value"] > 0
    text = output.read_text() + json.dumps(result["rows"])
    assert str(tmp_path) not in text and str(REPOSITORY) not in text and os.uname().nodename not in text.split()
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_bench_interrupted_leaves_nothing_behind(tmp_path, number):
    with subprocess.Popen(_command("--row", "users", "--directory", tmp_path, "--json", tmp_path / "found.json"),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
        deadline = time.monotonic() + 60
        while len(family := workspaces.family(bench.pid)) < 3:  # the server and its load run
            assert bench.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        bench.send_signal(number)
        assert bench.wait(60) == 128 + number
    deadline = time.monotonic() + 60
    while [pid for pid in family if Path(f"/proc/{pid}").exists()]:  # whoever was killed may need a moment
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not list(tmp_path.glob("bench-*"))


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--row", "nothing"], ["--pin", "away"], ["--from", "x.json", "--quick"]])
def test_bench_refuses_what_makes_no_sense(words):
    command = ["/usr/bin/python3", SCRIPTS / "bench.py", *words]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
