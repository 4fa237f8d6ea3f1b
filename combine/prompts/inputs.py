"""The input of a prompt as it is stored with its call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any

from combine.documents.findings import Finding
from combine.prompts.builder import PromptInput, UpstreamDocument


def input_to_json(given: PromptInput) -> dict[str, Any]:
    """Everything the prompt is rendered from except the brief, which belongs to the execution.

    Documents are named by type and version, a draft by the SHA-256 of its JSON.
    """
    return {
        "workflow_id": given.workflow_id,
        "step": given.step.step_id,
        "model": given.model,
        "answers": [asdict(answer) for answer in given.answers],
        "upstream": [_version(document) for document in given.upstream],
        "previous": None if given.previous is None else _version(given.previous),
        "next_ids": dict(given.next_ids),
        "ask": given.ask,
        "draft": None if given.draft is None else _sha256(given.draft),
        "findings": [_finding(finding) for finding in given.findings],
        "guidance": given.guidance,
        "hints": [asdict(hint) for hint in given.hints],
        "unused_sentences": list(given.unused_sentences),
    }


def _version(document: UpstreamDocument) -> dict[str, Any]:
    return {"type": document.type, "version": document.version}


def _finding(finding: Finding) -> dict[str, Any]:
    """The finding without its stored position, which prompts do not contain."""
    return {field.name: getattr(finding, field.name) for field in fields(Finding)}


def _sha256(draft: Mapping[str, Any] | str) -> str:
    return sha256(json.dumps(draft, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
