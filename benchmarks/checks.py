"""CPU time of the pure rules: reading, checks, hints and prompts for the four bakery documents, without any call.

Prints a Markdown table with the date and the machine; CPU time of this process, best of several rounds.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from combine.brief.reading import split_brief
from combine.checks import CheckContext, check_document, document_hints
from combine.documents.findings import Hint
from combine.documents.questions import Answer
from combine.prompts.builder import PromptBuilder, PromptInput, UpstreamDocument
from combine.prompts.replies import parse_reply
from combine.workflows.catalog import Catalog, load_catalog

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fakes"))

import bakery  # noqa: E402 - the path comes first

WORKFLOW = "strategy-document"
PARTS = ("schema", "prompt", "parse", "check", "hints")
BRIEF = split_brief(bakery.BRIEF)
ANSWERS = tuple(Answer(**a) for a in json.loads((ROOT / "tests/data/bakery/answers.json").read_text(encoding="utf-8")))
REPLIES = {type_: bakery.reply(bakery.document(type_)) for type_ in bakery.TYPES}


class Watch:
    """Adds up CPU seconds by part."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        self.spent[name] += time.process_time() - begin


def execute(catalog: Catalog, builder: PromptBuilder, watch: Watch) -> None:
    """Everything one execution computes between its calls."""
    documents: dict[str, Any] = {}

    def context(type_: str) -> CheckContext:
        upstream = {name: content for name, content in documents.items() if name != type_}
        return CheckContext(type_, catalog.schema(type_).schema, BRIEF, ANSWERS, upstream)

    for step in catalog.workflow(WORKFLOW).steps:
        hints: tuple[Hint, ...] = ()
        if step.is_final:
            with watch.part("hints"):
                hints = tuple(
                    h for type_, content in documents.items() for h in document_hints(content, context(type_))
                )
        with watch.part("schema"):
            catalog.reply_schema(step.output, ask=step.allow_clarification)
        with watch.part("prompt"):
            upstream = tuple(UpstreamDocument(type_, 1, content) for type_, content in documents.items())
            builder.build(PromptInput(WORKFLOW, step, "offline", BRIEF, ANSWERS, upstream, hints=hints))
        with watch.part("parse"):
            schema = catalog.schema(step.output).schema
            parsed = parse_reply(REPLIES[step.output], document_type=step.output, schema=schema, ask=True)
        if parsed.document is None or parsed.findings:
            sys.exit(f"{step.output}: {parsed.findings}")
        with watch.part("check"):
            checked = check_document(parsed.document, context(step.output))
        if checked.findings:
            sys.exit(f"{step.output}: {checked.findings}")
        documents[step.output] = parsed.document


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=50, help="executions per round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    catalog = load_catalog(None)
    builder = PromptBuilder(catalog)
    first = Watch()
    execute(catalog, builder, first)
    rounds = []
    for _ in range(given.rounds):
        watch = Watch()
        for _ in range(given.n):
            execute(catalog, builder, watch)
        rounds.append(watch.spent)
    best = min(rounds, key=lambda spent: spent.total())
    rows = [(part, best[part] / given.n, first.spent[part]) for part in PARTS]
    rows.append(("all", best.total() / given.n, first.spent.total()))
    print(
        f"## Rules, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, Python {platform.python_version()}\n"
    )
    print("| part | CPU ms/execution | first in a process |\n| --- | ---: | ---: |")
    for name, seconds, cold in rows:
        print(f"| {name} | {1000 * seconds:.2f} | {1000 * cold:.2f} |")


if __name__ == "__main__":
    main()
