"""What has to be said in each language the rules write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuestionFrame:
    """One question that may be asked."""

    text: str
    why: str
    default: str = ""
    """One of ``choices``, or a full sentence that can stand as an assumption."""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComponentFrame:
    """One part a design may have."""

    name: str
    responsibility: str
    interfaces: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    """Names of other parts, as keys of ``Frames.components``."""


@dataclass(frozen=True, slots=True)
class DecisionFrame:
    """One decision a design may need."""

    title: str
    decision: str
    rationale: str
    alternatives: tuple[str, ...]
    consequences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frames:
    """Fixed texts of one language. Names in braces are filled in: quoted words, ids, counts."""

    # said of the whole
    label: str
    label_reason: str
    requirements_label: str
    requirements_label_reason: str
    architecture_label: str
    architecture_label_reason: str
    unnamed: str
    # discovery
    end_problem: str
    figure_met: str
    figure_falls: str
    no_measure: str
    no_measure_reason: str
    no_deadline: str
    no_deadline_reason: str
    unknown_language: str
    unknown_language_reason: str
    client: str
    client_short: str
    author: str
    client_role: str
    roles: Mapping[str, str]
    too_general: frozenset[str]
    impact: Mapping[str, str]
    answered: str
    disagree: str
    settled: str
    settle_conflict: str
    held: str
    conflict_reason: str
    unsettled: str
    left_open: str
    settle: str
    late: str
    drop_first: str
    beyond: str
    refuse_early: str
    nothing_else: str
    nothing_else_reason: str
    nothing_else_line: str
    # questions
    conflict: QuestionFrame
    first_problem: QuestionFrame
    limit_question: QuestionFrame
    questions: Mapping[str, QuestionFrame]
    # requirements
    support: str
    provide: str
    enable: str
    as_told: tuple[str, ...]
    quoted: str
    is_done: str
    criteria: Mapping[str, tuple[str, ...]]
    limit: str
    limit_decided: str
    limit_title: str
    limit_criteria: tuple[str, ...]
    limit_held: str
    limit_held_reason: str
    remedy: str
    remedy_title: str
    remedy_criteria: tuple[str, ...]
    serve: str
    serve_title: str
    serve_criteria: tuple[str, ...]
    metrics: Mapping[str, str]
    no_target: str
    no_target_reason: str
    no_target_line: str
    answered_quality: Mapping[str, str]
    personal: str
    # architecture
    components: Mapping[str, ComponentFrame]
    decisions: Mapping[str, DecisionFrame]
    style: str
    summary: str
    summary_outside: str
    message_cue: str
    person_cue: str
    report_cue: str
    web_cue: str
    area_application: str
    area_store: str
    area_hosting: str
    stack_web: str
    stack_application: str
    stack_store: str
    stack_place: str
    stack_host: str
    no_host: str
    no_host_reason: str
    data_rules: str
    # review
    verdict: str
    verdict_reason: str
    step_major: str
    step_read: str
    found_conflict: str
    mend_conflict: str
    found_addressed: str
    mend_addressed: str
    found_unused: str
    mend_unused: str
    found_background: str
    mend_background: str
    found_assumption: str
    mend_assumption: str
    found_hint: str
    hints: Mapping[str, str]
    """What a check says, by its code, where its own English words do not fit the document."""
    mend_hint: str
    # repair
    sent_back: str
    open_finding: str
    note_reason: str
