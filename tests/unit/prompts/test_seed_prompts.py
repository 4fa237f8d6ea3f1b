"""The prompts the product ships: short, in step with the schemas, and free of what harms a model's work."""

from __future__ import annotations

import json
import re

import pytest

from combine.brief.reading import split_brief
from combine.prompts.builder import PromptBuilder, PromptInput, UpstreamDocument
from combine.workflows.catalog import load_catalog

CATALOG = load_catalog(None)
WORKFLOW = CATALOG.workflow("strategy-document")
STEPS = pytest.mark.parametrize("step", WORKFLOW.steps, ids=lambda s: s.step_id)
CHARS_PER_TOKEN = 4
ENVELOPE = {"questions", "document", "text", "why", "answer_type", "choices", "default", "required"}


def render(step, model="anthropic:claude-sonnet-5-5"):
    brief = split_brief("We lend costumes. We lose some of them.")
    upstream = tuple(UpstreamDocument(name, 1, {}) for name in step.inputs)
    given = PromptInput(WORKFLOW.workflow_id, step, model, brief, upstream=upstream, next_ids={"ASM": 1}, ask=True)
    return PromptBuilder(CATALOG).build(given)


def names(schema):
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from names(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from names(part)


@STEPS
def test_rules_role_and_task_stay_well_below_three_thousand_tokens(step):
    prompt = render(step)
    assert len(prompt.system + prompt.task) / CHARS_PER_TOKEN < 2_700


@STEPS
def test_every_field_a_prompt_names_is_in_the_schema(step):
    prompt = render(step)
    known = set(names(json.loads(json.dumps(dict(CATALOG.schema(step.output).schema))))) | ENVELOPE
    text = prompt.task + CATALOG.house_rules().text
    named = {part for name in re.findall(r"`([a-z_.]+)`", text) for part in name.split(".")}
    assert named - known - {"ref", "quote", "assumption", "brief", "assumptions", "reason", "sources"} == set()


@STEPS
def test_prompts_do_not_shout_or_ask_for_reasoning(step):
    prompt = render(step)
    text = prompt.system + prompt.task
    assert not re.search(r"\b(MUST|NEVER|ALWAYS|IMPORTANT|CRITICAL)\b", text)
    assert "reasoning" not in text.lower()


def test_the_suffix_of_a_model_goes_to_that_model_only():
    step = WORKFLOW.steps[0]
    suffix = CATALOG.model_suffix("claude-sonnet-5-5")
    assert suffix is not None
    assert render(step).system.endswith(suffix.text.strip())
    assert suffix.text.strip() not in render(step, "openai:gpt-5.6").system
