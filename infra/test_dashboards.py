"""The generated dashboards are what Grafana and CloudWatch read: grid, ids, variables, queries."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

from cloudformation import TEMPLATE, Names, Stack

FOLDER = Path(__file__).parent / "dashboards"
METRICS = (FOLDER.parent.parent / "docs" / "metrics.md").read_text()
GRAFANA: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())
CLOUDWATCH: dict[str, Any] = json.loads((FOLDER / "cloudwatch.json").read_text())

COLUMNS = 24

# CloudWatch API reference, PutDashboard: at most 500 widgets; a name and a value for each of at most 30 dimensions.
WIDGETS_MAX = 500

Box = tuple[int, int, int, int]


def assert_places(boxes: list[Box]) -> None:
    """Each box is on the grid, and none covers another."""
    for x, y, width, height in boxes:
        assert 0 <= x < x + width <= COLUMNS
        assert y >= 0
        assert height >= 1
    for (ax, ay, aw, ah), (bx, by, bw, bh) in combinations(boxes, 2):
        assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay


def documented(section: str) -> list[list[str]]:
    """The rows of a table of docs/metrics.md, cell by cell."""
    text = METRICS.split(f"## {section}\n")[1].split("\n## ")[0]
    return [
        [cell.strip(" `") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")
    ]


def pictures() -> list[dict[str, Any]]:
    return [panel for panel in GRAFANA["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in pictures() for target in panel["targets"]]


def test_grafanas_panels_are_on_the_grid_and_cover_nothing() -> None:
    boxes = [panel["gridPos"] for panel in GRAFANA["panels"]]

    assert_places([(box["x"], box["y"], box["w"], box["h"]) for box in boxes])


def test_grafanas_panels_and_queries_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in GRAFANA["panels"]]
    assert len(ids) == len(set(ids))
    for panel in pictures():
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters)), panel["title"]


def test_grafana_asks_the_data_source_that_is_chosen_at_the_top() -> None:
    variables = {variable["name"]: variable for variable in GRAFANA["templating"]["list"]}
    sources = [panel["datasource"] for panel in pictures()]
    sources += [target["datasource"] for panel in pictures() for target in panel["targets"]]

    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert {json.dumps(source, sort_keys=True) for source in sources} == {
        '{"type": "prometheus", "uid": "${datasource}"}'
    }
    used = {name for query in queries() for name in re.findall(r"\$(\w+)", query)}
    assert used - {"__rate_interval"} <= variables.keys()


def test_every_query_balances_and_names_a_documented_metric_with_its_labels() -> None:
    labels = {row[0]: set(re.findall(r"\w+", row[3])) for row in documented("The dispatcher's")}
    summaries = {row[0] for row in documented("The dispatcher's") if row[1] == "summary"}

    assert len(queries()) > 20
    for query in queries():
        assert all(query.count(a) == query.count(b) for a, b in ("()", "{}", "[]")), query
        assert query.count('"') % 2 == 0, query
        (name,) = re.findall(r"spillway_\w+", query)
        matched = set(re.findall(r'(\w+)(?:=~|!=|=)"', query))
        by = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in re.findall(r"\w+", group)}
        extra = {"job"} | ({"quantile"} if name in summaries else set())
        assert (matched | by) - extra <= labels[name], query


def test_every_legend_takes_labels_that_its_query_leaves() -> None:
    for panel in pictures():
        for target in panel["targets"]:
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            left = {label for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in group.split(", ")}
            assert wanted == left, target["expr"]


def widgets(kind: str) -> list[dict[str, Any]]:
    return [widget for widget in CLOUDWATCH["widgets"] if widget["type"] == kind]


def test_cloudwatchs_widgets_are_on_the_grid_and_cover_nothing() -> None:
    assert len(CLOUDWATCH["widgets"]) <= WIDGETS_MAX
    assert {widget["type"] for widget in CLOUDWATCH["widgets"]} == {"metric", "text"}
    assert_places([(w["x"], w["y"], w["width"], w["height"]) for w in CLOUDWATCH["widgets"]])


def test_every_line_of_cloudwatch_is_a_documented_metric_with_all_its_dimensions() -> None:
    known = {(row[0], row[1]): re.findall(r"\w+", row[2]) for row in documented("From CloudWatch")}
    lines = [line for widget in widgets("metric") for line in widget["properties"]["metrics"]]

    assert len(lines) > 10
    for namespace, name, *dimensions, drawn in lines:
        assert dimensions[0::2] == known[namespace, name]
        assert all(isinstance(value, str) and value for value in dimensions[1::2])
        assert drawn.keys() == {"stat", "label"}


def test_cloudwatchs_dimensions_are_those_of_the_stack() -> None:
    stack = Stack(names=Names(deployment="DEPLOYMENT"))
    named = {
        "QueueName": {queue["QueueName"] for queue in stack.resources("AWS::SQS::Queue").values()},
        "RuleName": {rule["Name"] for rule in stack.resources("AWS::Events::Rule").values()},
        "ClusterName": {cluster["ClusterName"] for cluster in stack.resources("AWS::ECS::Cluster").values()},
        "LogGroupName": {group["LogGroupName"] for group in stack.resources("AWS::Logs::LogGroup").values()},
    }
    shown: dict[str, set[str]] = {key: set() for key in named}
    for widget in widgets("metric"):
        for _, _, *dimensions, _ in widget["properties"]["metrics"]:
            for key, value in zip(dimensions[0::2], dimensions[1::2], strict=True):
                if key in shown:
                    shown[key].add(value)

    assert shown == named


def test_cloudwatchs_variables_replace_what_is_there() -> None:
    variables = {variable["id"]: variable for variable in CLOUDWATCH["variables"]}
    region, deployment = variables["region"], variables["deployment"]

    assert {widget["properties"]["region"] for widget in widgets("metric")} == {region["defaultValue"]}
    assert region["property"] == "region"
    assert deployment["pattern"] == "DEPLOYMENT"
    assert deployment["defaultValue"] == TEMPLATE["Parameters"]["Deployment"]["Default"]
