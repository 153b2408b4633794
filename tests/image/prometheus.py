"""A real Prometheus with the product's alert rules."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from support.paths import LOGS, ROOT, Process, free_ports, wait_until

ALERTS = ROOT / "deploy/prometheus/alerts.yaml"


class Prometheus:
    """Scrapes daemons each second; ends with the stack."""

    def __init__(self, folder: Path, daemon_ports: list[int], alerts: str, stack: ExitStack) -> None:
        self.port, = free_ports(1)
        config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [
            f"127.0.0.1:{port}" for port in daemon_ports]
        (folder / "alerts.yaml").write_text(alerts)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.process = Process(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"], LOGS / "image" / f"prometheus-{self.port}.log")
        stack.callback(self.process.kill)
        wait_until(self._ready, 60, "Prometheus is ready")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        answer = self._get(f"query?{urllib.parse.urlencode({'query': expression})}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def rules(self) -> list[dict[str, Any]]:
        """The alerting rules as it has loaded them."""
        groups = self._get("rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def firing(self) -> set[tuple[str, str]]:
        """(name of the alert, what it is about: instance, group or connection; "" for none), firing now."""
        found = set()
        for each in self.query('ALERTS{alertstate="firing"}'):
            labels = each["metric"]
            about = labels.get("instance") or labels.get("group") or labels.get("connection") or ""
            found.add((labels["alertname"], about))
        return found

    def _ready(self) -> bool:
        assert self.process.running(), self.process.tail()
        try:
            return bool(self.query("vector(1)"))
        except OSError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        assert found["status"] == "success", found
        return found
