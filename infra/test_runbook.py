"""Every alarm has its section in the runbook, every section its alarm, and what both say of each other is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudformation import TEMPLATE, Names, Stack

ROOT = Path(__file__).parent.parent
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = {name: text for name, text in re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.DOTALL | re.MULTILINE)}
STACK = Stack(names=Names(deployment="spillway"))
ALARMS = STACK.resources("AWS::CloudWatch::Alarm")
GROUPS = yaml.safe_load((ROOT / "infra" / "prometheus-rules.yaml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
EACH_RULE = pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in RULES])
EACH_ALARM = pytest.mark.parametrize("alarm", [pytest.param(a, id=name) for name, a in ALARMS.items()])


def section_of(alarm: dict[str, Any]) -> str:
    return alarm["AlarmDescription"].rsplit("docs/runbook.md#", 1)[1]


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm watches, without the expressions over it."""
    queries = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return queries or [alarm]


def names_by_section() -> dict[str, set[str]]:
    """The alarms and alerts that name each section."""
    found: dict[str, set[str]] = {}
    for alarm in ALARMS.values():
        found.setdefault(section_of(alarm), set()).add(alarm["AlarmName"])
    for rule in RULES:
        found.setdefault(rule["annotations"]["runbook"].removeprefix("docs/runbook.md#"), set()).add(rule["alert"])
    return found


def test_every_alarm_has_a_section_and_every_section_an_alarm() -> None:
    assert names_by_section().keys() == SECTIONS.keys()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_names_its_alarms_and_says_what_how_and_what_to_do(name: str) -> None:
    text = SECTIONS[name]
    line = next(line for line in text.splitlines() if re.match(r"Alarms?: |Alert: ", line))

    assert set(re.findall(r"`([^`]+)`", line)) == names_by_section()[name]
    places = [text.index(f"**{heading}.**") for heading in ("What it means", "How to look", "What to do")]
    assert places == sorted(places)


def test_every_link_of_the_runbook_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOK):
        file, _, section = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        assert not section or file or section in SECTIONS, target


def test_every_code_of_a_dead_letter_is_in_the_runbook() -> None:
    rejects = (ROOT / "crates/core/src/message/reject.rs").read_text()
    engine = "".join(
        (ROOT / f"crates/engine/src/{noun}.rs").read_text() for noun in ("bursts", "dependency", "intake", "schedule")
    )
    codes = set(re.findall(r'&str = "([A-Z_]+)"', rejects))
    codes |= set(re.findall(r'(?:code: |delivery, |Some\(\()"([A-Z_]+)"', engine))
    rows = [line.split("|")[1] for line in SECTIONS["dead-letters"].splitlines() if line.startswith("| `")]

    assert len(codes) > 5
    assert {code for row in rows for code in re.findall(r"`([A-Z_]+)`", row)} == codes


@EACH_ALARM
def test_an_alarm_tells_a_topic_of_its_begin_and_its_end_if_there_is_one(alarm: dict[str, Any]) -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:pager"
    told = Stack({"AlarmTopicArn": topic}, STACK.names).resources("AWS::CloudWatch::Alarm")
    told_alarm = next(a for a in told.values() if a["AlarmName"] == alarm["AlarmName"])

    assert alarm.keys() & {"AlarmActions", "OKActions"} == set()
    assert told_alarm["AlarmActions"] == told_alarm["OKActions"] == [topic]


@EACH_ALARM
def test_an_alarm_watches_a_queue_or_a_rule_of_the_stack(alarm: dict[str, Any]) -> None:
    queues = {queue["QueueName"] for queue in STACK.resources("AWS::SQS::Queue").values()}
    rules = {rule["Name"] for rule in STACK.resources("AWS::Events::Rule").values()}

    for metric in metrics_of(alarm):
        (dimension,) = metric["Dimensions"]
        assert dimension["Value"] in {"QueueName": queues, "RuleName": rules}[dimension["Name"]]


@EACH_ALARM
def test_an_alarm_watches_a_metric_that_is_documented(alarm: dict[str, Any]) -> None:
    documented = (ROOT / "docs" / "metrics.md").read_text()

    for metric in metrics_of(alarm):
        assert f"| `{metric['Namespace']}` | `{metric['MetricName']}` |" in documented


@EACH_ALARM
def test_an_alarm_is_decided_on_what_it_does_when_nothing_is_measured(alarm: dict[str, Any]) -> None:
    expected = {"dead-letters": "ignore", "no-dispatcher": "breaching"}

    assert alarm["TreatMissingData"] == expected.get(section_of(alarm), "notBreaching")


def test_every_expression_is_over_the_metrics_of_its_alarm() -> None:
    for alarm in ALARMS.values():
        queries = {query["Id"]: query for query in alarm.get("Metrics", [])}
        returned = [query["Id"] for query in queries.values() if query["ReturnData"]]
        assert len(returned) == (1 if queries else 0)
        for query in queries.values():
            used = set(re.findall(r"[a-z]\w*", query.get("Expression", "")))
            assert used <= queries.keys() - {query["Id"]}


def test_the_stack_makes_no_alarm_if_it_is_told_not_to() -> None:
    assert Stack({"CreateAlarms": "no"}).resources("AWS::CloudWatch::Alarm") == {}


def test_the_price_of_the_alarms_is_that_of_their_metrics() -> None:
    metrics = sum(len(metrics_of(alarm)) for alarm in ALARMS.values())
    text = TEMPLATE["Parameters"]["CreateAlarms"]["Description"]

    assert f"${metrics / 10:.2f} a month" in text


@EACH_RULE
def test_an_alert_is_over_documented_metrics_with_values_that_their_labels_take(rule: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    labels = dict(re.findall(r"^\| `(spillway_\w+)` \| \w+ \| [\w ]+ \| (.*?) \|", text, re.MULTILINE))
    values = {(m, name): row for m, name, row in re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)}

    assert rule["expr"].count("(") == rule["expr"].count(")")
    metrics = re.findall(r"(spillway_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert metrics
    for metric, matchers in metrics:
        assert metric in labels
        for label, wanted in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            assert f"`{label}`" in labels[metric]
            known = set(re.findall(r"`([^`]+)`", values[metric, label]))
            assert set(wanted.split("|")) <= known, (metric, label)


@EACH_RULE
def test_an_alert_says_what_is_wrong_and_how_bad_it_is(rule: dict[str, Any]) -> None:
    kept = {label for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in group.split(", ")}

    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Spillway[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) == kept


@pytest.mark.parametrize(
    ("section", "metric", "label"),
    [
        ("launches-fail", "spillway_api_calls_total", "outcome"),
        ("jobs-cannot-start", "spillway_jobs_waiting", "reason"),
    ],
)
def test_a_section_has_advice_for_every_value_that_its_alert_is_about(section: str, metric: str, label: str) -> None:
    (rule,) = [rule for rule in RULES if rule["annotations"]["runbook"].endswith(f"#{section}")]
    rows = re.findall(r"^\| `([\w-]+)` \|", SECTIONS[section], re.MULTILINE)
    about = re.search(rf'{metric}\{{.*?{label}=~"([^"]*)"', rule["expr"])

    assert about
    assert set(rows) == set(about[1].split("|"))
