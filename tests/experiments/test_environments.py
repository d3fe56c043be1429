"""How another torch and another Python are held against ours."""

from pathlib import Path

from nasarena.experiments.measure.environments import python_version, torch_version

REPORT = """<testsuites><testsuite>
<testcase classname="tests.proxies.test_a" name="one"/>
<testcase classname="tests.proxies.test_a" name="two"><skipped/></testcase>
<testcase classname="tests.proxies.test_a" name="three"><failure/></testcase>
<testcase classname="tests.proxies.test_b" name="four"><error/></testcase>
<testcase classname="" name="tests.proxies.test_c"><error/></testcase>
</testsuite></testsuites>"""


def test_tests_are_counted_by_file() -> None:
    rows = torch_version.count_tests(REPORT)
    counts = [(row["tests"], row["passed"], row["skipped"], row["failed"]) for row in rows]
    assert counts == [
        ("tests.proxies.test_a", 1, 1, 1),
        ("tests.proxies.test_b", 0, 0, 1),
        ("tests.proxies.test_c", 0, 0, 1),  # it could not be imported
    ]


def test_scores_are_compared_pattern_by_pattern() -> None:
    ours = {"native": {"AM": -1.0, "MA": -2.0}, "eager": {"AM": -1.5}}
    theirs = {"native": {"AM": -1.0, "MA": -2.5}, "eager": {"AM": -1.5}}
    moves = torch_version.largest_moves(ours, theirs)
    assert moves == {"largest_move_native": 0.5, "largest_move_eager": 0.0}


def test_every_file_of_tests_is_there() -> None:
    root = Path(__file__).parents[2]
    assert [name for name in torch_version.TESTS if not (root / name).exists()] == []


def test_runs_are_compared_event_by_event() -> None:
    asked, settled = {"event": "asked"}, {"event": "settled", "spent": 1.0}
    ours = {"a/seed-0": [asked, settled], "b/seed-0": [asked], "c/seed-0": [asked]}
    theirs = {"a/seed-0": [asked, settled], "b/seed-0": [asked, settled], "d/seed-0": [asked]}
    rows = python_version.differences(ours, theirs)
    assert [(row["run"], row["trials"], row["identical"]) for row in rows] == [
        ("a/seed-0", 1, True),
        ("b/seed-0", 0, False),
        ("c/seed-0", 0, False),  # under one of them alone
        ("d/seed-0", 0, False),
    ]


def test_an_interpreter_without_a_reference_is_refused() -> None:
    assert python_version.measure() == 2
