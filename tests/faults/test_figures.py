"""The table of what is reached is read off the counts, and the README says what the last passing run counted."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from tests.faults import keep
from tests.faults.figures import gathered, markdown, shown, table

REACHED: dict[str, dict[str, object]] = {
    "test_a_run_killed_at_any_call_twice_and_again_while_recovering_ends_as_if_undisturbed": {
        "points": 752, "killed_twice": 752, "all_points": 752, "lost": 0, "twice": 0, "partial": 0,
    },
    "test_a_killed_run_goes_on_where_it_was": {"kills": 200, "lost": 0, "twice": 0, "partial": 0},
    "test_broken_topic_files_are_read_or_refused_and_nothing_outside_input_is_opened": {
        "files": 5_000, "hangs": 0, "crashes": 0, "read_outside": 0, "failures": 3_000, "unnamed": 0,
    },
    "test_broken_topics_become_episodes_or_have_a_named_error": {
        "files": 200, "hangs": 0, "crashes": 0, "read_outside": 0, "failures": 90, "unnamed": 0,
    },
    "test_mutated_settings_are_refused_at_the_start_or_proven_harmless": {
        "settings": 400, "refused": 300, "harmless": 100,
    },
    "test_a_fault_on_the_way_ends_in_its_state_inside_the_deadline": {"cells": 130, "wrong_state": 0, "late": 0},
    "test_a_run_whose_service_goes_and_comes_back_ends_well_by_itself": {"outages": 20, "recovered": 20},
    "test_in_ten_minutes_a_service_that_is_down_is_called_thirty_times_at_most": {"most_calls": 20},
    "test_an_outage_of_ten_minutes_costs_a_whole_run_few_calls": {"most_calls": 17},
    "test_many_runs_at_once_share_the_work_and_do_nothing_twice": {"runs": 50, "twice": 0, "failed": 0},
    "test_a_topic_file_of_a_gigabyte_takes_no_memory": {"grown_kib": 400},
    "test_a_line_of_500_megabytes_from_a_server_takes_no_memory": {"grown_kib": 20_000},
    "test_a_picture_that_unpacks_to_gigabytes_is_refused_unopened": {"grown_kib": 100},
    "test_descriptors_threads_and_unfinished_files_do_not_pile_up": {
        "episodes": 1_001, "descriptors_more": -1, "threads_more": 0, "unfinished": 0,
    },
}  # fmt: skip


def test_every_figure_is_reached_where_every_count_is_as_it_must_be() -> None:
    assert [row.figure for row in table(REACHED) if not row.is_reached] == []


@pytest.mark.parametrize(
    ("test", "figure"),
    [(test, figure) for test, told in REACHED.items() for figure, value in told.items() if value == 0],
)
def test_a_single_miss_is_seen(test: str, figure: str) -> None:
    counted = copy.deepcopy(REACHED)
    counted[test][figure] = 1
    rows = table(counted)
    assert len([row for row in rows if not row.is_reached]) == 1
    assert "NOT REACHED" in shown(rows)


@pytest.mark.parametrize("test", REACHED)
def test_what_was_not_measured_is_not_reached(test: str) -> None:
    assert "not measured" in [row.reached for row in table({**REACHED, test: {}}) if not row.is_reached]


def test_counts_add_up_over_the_cases_of_a_test_and_of_what_must_stay_small_the_largest_counts(tmp_path: Path) -> None:
    for number, grown in enumerate((3, 9, 5)):
        told = {"test": f"tests/faults/test_it.py::test_it[{number}]", "figures": {"kills": 2, "grown_kib": grown}}
        (tmp_path / f"{number}.json").write_text(json.dumps(told))
    assert gathered(tmp_path) == {"test_it": {"kills": 6, "grown_kib": 9}}


def test_the_readme_gives_no_figures_but_those_of_the_kept_report_and_that_is_of_a_run_that_passed() -> None:
    said = keep.told_in(keep.README.read_text("utf-8"))
    if not keep.KEPT.exists():
        assert said == ""
        return
    report = json.loads(keep.KEPT.read_text("utf-8"))
    assert said == keep.block(report), "run python -m tests.faults.keep"
    assert report["passed"]
    assert [row.figure for row in table(report["figures"]) if not row.is_reached] == []


def test_the_readme_s_table_is_put_in_once_and_then_replaced() -> None:
    first = {"figures": REACHED, "seed": 1, "seconds": 800, "cpu_seconds": 1_500, "cores": 2}
    second = first | {"seconds": 900}
    text = "# It\n\n## Tests\n\nSo.\n\n## How it works\n\nWell.\n"
    once = keep.with_block(text, keep.block(first))
    again = keep.with_block(once, keep.block(second))
    assert keep.told_in(again) == keep.block(second)
    assert again == once.replace("800 s", "900 s")
    assert markdown(table(REACHED)) in again
    assert once.replace(keep.block(first) + "\n", "") == text
