"""docs/reference/metrics.md names every metric with its kind and labels, and nothing else."""

import re
from pathlib import Path

from combine.observability.metrics import Metrics, Readings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def documented():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_the_page_names_every_metric():
    metrics = Metrics()
    metrics.request("/health", "GET", 200, 0.1)
    metrics.rate_limited("starts")
    metrics.add_readings(Readings(lambda: 1, lambda: 1, lambda: 1, lambda: {"in_use": 1}))
    found = {}
    for family in metrics.registry.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, frozenset(labels))
    assert found == documented()
