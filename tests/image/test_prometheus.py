"""Metrics, alerts and the dashboard: with promtool, and with a real Prometheus that scrapes the real daemon."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import datapy_kafka
import pytest
import yaml
from support.paths import ROOT, free_ports, wait_until
from support.sidecar import Sidecar

from image.prometheus import ALERTS, Prometheus

DASHBOARD = ROOT / "deploy/dashboards/datapy-kafka-sidecar.json"
NAME = re.compile(r"\bdatapy_kafka_[a-z_]+\b")


class Scraped:
    """A daemon that has consumed, failed, retried and produced, with its metrics."""

    def __init__(self, stack: ExitStack) -> None:
        self.port, = free_ports(1)
        self.daemon = stack.enter_context(
            Sidecar("metrics", None, ["--dev_broker", f"--metrics_listen=127.0.0.1:{self.port}"]))
        self._client = stack.enter_context(datapy_kafka.connect(self.daemon.address))
        self._client.produce("orders", [{"id": number} for number in range(50)])
        self.consume(50)

    def consume(self, count: int) -> None:
        """One session of the group "billing"; it ends when so many are done."""
        done: set[int] = set()
        with datapy_kafka.StreamController() as controller:
            def handle(message: dict[str, Any]) -> dict[str, str]:
                number = json.loads(message["value"])["id"]
                if number == 7:
                    done.add(number)
                    return {"status": "error", "error": "never works"}
                done.add(number)
                if len(done) == count:
                    controller.request_stop("enough")
                return {"status": "success"}
            self._client.consume(topics=["orders"], group_id="billing", handler=handle, on_error="retry",
                                 max_retries=1, retry_backoff_ms=[10], controller=controller)

    def text(self) -> str:
        """What Prometheus gets."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return bytes(answer.read()).decode()

    def names(self) -> set[str]:
        """Every series' name."""
        return {line.split("{")[0].split(" ")[0] for line in self.text().splitlines() if line and line[0] != "#"}


@pytest.fixture(scope="module")
def scraped() -> Iterator[Scraped]:
    """Shared; a session of it stays open, as partitions are shown for open ones alone."""
    with ExitStack() as stack:
        yield Scraped(stack)


@pytest.fixture(scope="module")
def exposed(scraped: Scraped) -> set[str]:
    """The names exposed while a session is open."""
    names: set[str] = set()
    scraped._client.produce("orders", [{"id": 1000}, {"id": 1001}])  # noqa: SLF001 (its maker)
    with datapy_kafka.StreamController() as controller, datapy_kafka.connect(scraped.daemon.address) as client:
        def handle(_: dict[str, Any]) -> None:
            # Lag is known only from the second commit on; the second record sees it.
            found = scraped.names()
            names.update(found)
            if "datapy_kafka_partition_lag_records" in found:
                controller.request_stop("seen")
            else:
                client.produce("orders", {"id": 1002})
        client.consume(topics=["orders"], group_id="billing", handler=handle, controller=controller)
    return names


def promtool(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs it."""
    return subprocess.run(["promtool", *[str(each) for each in arguments]], input=stdin, capture_output=True,
                          text=True, check=False)


def queries() -> Iterator[tuple[str, str]]:
    """Where each expression of the dashboard and the alerts is, and the expression."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]:
        yield f"alert {rule['alert']}", rule["expr"]


def test_the_metrics_keep_to_the_conventions(scraped: Scraped) -> None:
    done = promtool("check", "metrics", stdin=scraped.text())
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr


def test_the_alerts_are_valid_and_each_is_tested() -> None:
    done = promtool("check", "rules", ALERTS)
    assert done.returncode == 0, done.stderr
    done = promtool("test", "rules", ROOT / "deploy/prometheus/alerts_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    rules = {rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}
    tests = yaml.safe_load((ROOT / "deploy/prometheus/alerts_test.yaml").read_text())["tests"]
    raised = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert raised == rules


def test_a_changed_alert_is_noticed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy/prometheus/alerts_test.yaml", tmp_path)
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text().replace("> 300", "> 3000"))
    done = promtool("test", "rules", tmp_path / "alerts_test.yaml")
    assert done.returncode != 0
    assert "DatapyKafkaOldUnacked" in done.stdout + done.stderr


def test_every_alert_is_in_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    headings = {line[3:].strip() for line in runbook.splitlines() if line.startswith("## ")}
    for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]:
        assert rule["alert"] in headings
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert {each for each in headings if each.startswith("Datapy")} == {
        rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}


def test_every_query_asks_for_what_is_exposed(exposed: set[str]) -> None:
    for where, query in queries():
        for name in NAME.findall(query):
            assert name in exposed, f"{where} asks for {name}"


def test_every_metric_is_on_the_dashboard(exposed: set[str]) -> None:
    asked = {name for where, query in queries() if where.startswith("panel") for name in NAME.findall(query)}
    shown = asked | {"datapy_kafka_sessions", "datapy_kafka_sessions_ended_total"}
    shown |= {re.sub("_bucket$", suffix, name) for name in asked for suffix in ("_count", "_sum")}
    assert {each for each in exposed if each.startswith("datapy_kafka_")} <= shown


def test_the_table_of_metrics_is_complete(exposed: set[str]) -> None:
    described = set(re.findall(r"^\| `(datapy_kafka_[a-z_]+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
    histograms = {name.removesuffix("_bucket") for name in exposed if name.endswith("_bucket")}
    parts = {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
    assert described == {each for each in exposed - parts | histograms if each.startswith("datapy_kafka_")}


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(dashboard["panels"]))) - {"__rate_interval"}
    assert used <= variables | {"_"}


def test_a_real_prometheus_scrapes_the_daemon(scraped: Scraped, exposed: set[str], tmp_path: Path,
                                              cleanup: ExitStack) -> None:
    assert exposed
    prometheus = Prometheus(tmp_path, [scraped.port], ALERTS.read_text(), cleanup)
    wait_until(lambda: prometheus.query('up{job="datapy-kafka-sidecar"} == 1'), 30, "the target is up")
    acked = wait_until(lambda: prometheus.query('datapy_kafka_acked_records_total{group="billing"}'), 30, "acks")
    assert float(acked[0]["value"][1]) >= 49
    skipped = prometheus.query('datapy_kafka_skipped_records_total{group="billing"}')
    assert float(skipped[0]["value"][1]) == 1
    retried = prometheus.query('datapy_kafka_retried_records_total{group="billing"}')
    assert float(retried[0]["value"][1]) == 1
    # Every query of dashboard and alerts is one that this Prometheus takes.
    for where, query in queries():
        text = re.sub(r"\$__rate_interval", "1m", query).replace("$namespace", ".*").replace("$group", ".*")
        assert isinstance(prometheus.query(text), list), where
    assert {rule["health"] for rule in prometheus.rules()} <= {"ok", "unknown"}


