"""The example briefs: what the offline drafter asks about them, the answers files settle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from combine.brief.reading import split_brief
from combine.documents.questions import AnswerType, Question
from combine.drafter.provider import reply_to
from combine.execution.clarification import settle_questions
from combine.prompts.builder import PromptBuilder, PromptInput
from combine.workflows.catalog import load_catalog

EXAMPLES = Path(__file__).parents[2] / "examples"
ASKED = {"bicycle-workshop": 0, "clinic-waiting-list": 5, "food-bank-deliveries": 5}


def questions_about(text):
    catalog = load_catalog(None)
    step = catalog.workflow("strategy-document").steps[0]
    given = PromptInput("strategy-document", step, "offline", split_brief(text), ask=True)
    prompt = PromptBuilder(catalog).build(given)
    for number, raw in enumerate(reply_to(prompt.prefix, prompt.task)["questions"], start=1):
        question = Question(**{**raw, "answer_type": AnswerType(raw["answer_type"]), "choices": tuple(raw["choices"])})
        yield replace(question, id=f"Q-{number}")


@pytest.mark.parametrize(("name", "count"), ASKED.items())
def test_the_answers_file_settles_what_is_asked(name, count):
    questions = list(questions_about((EXAMPLES / f"{name}.md").read_text("utf-8")))
    given = yaml.safe_load((EXAMPLES / f"{name}.answers.yaml").read_text("utf-8"))
    assert all(isinstance(answer, str) for answer in given.values())
    assert len(settle_questions(questions, given, decide_rest=False, next_assumption=1)) == len(questions) == count


def test_every_example_has_its_answers_and_its_line_in_the_readme():
    briefs = {path.stem for path in EXAMPLES.glob("*.md")} - {"README"}
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    assert briefs == set(ASKED) == {path.name.removesuffix(".answers.yaml") for path in EXAMPLES.glob("*.yaml")}
    assert all(f"`{name}.md`" in readme for name in briefs)
