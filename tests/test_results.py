"""toolbox.evaluation.results: the rows of results.json."""

import json

from toolbox.evaluation.results import read_results, record_results

import pytest


def test_a_notebook_replaces_its_own_rows_and_no_others(tmp_path):
    path = tmp_path / "results.json"
    record_results(path, "06", [{"method": "later", "accuracy": 0.3}])
    record_results(path, "05", [{"method": "old", "accuracy": 0.1}, {"method": "b"}])
    rows = record_results(path, "05", [{"method": "new", "accuracy": 0.2}])
    assert rows["method"].tolist() == ["new", "later"]
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"notebook": "05", "method": "new", "accuracy": 0.2},
        {"notebook": "06", "method": "later", "accuracy": 0.3},
    ]
    assert read_results(path).equals(rows)


def test_damaged_results_are_named_and_left_alone(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("[")
    with pytest.raises(ValueError, match=r"results\.json is damaged"):
        record_results(path, "05", [{"method": "new"}])
    assert path.read_text() == "["
