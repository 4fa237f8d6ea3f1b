"""``offline``: a provider without a model or a network. Its replies are made by fixed rules and always the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from combine.drafter.architecture import draft_architecture
from combine.drafter.discovery import draft_discovery
from combine.drafter.draft import JsonDict
from combine.drafter.ids import Ids
from combine.drafter.questions import ask_questions
from combine.drafter.reading import Reading, read
from combine.drafter.repair import mended
from combine.drafter.requirements import draft_requirements
from combine.drafter.review import draft_review
from combine.errors import PermanentLLMError
from combine.llm.protocol import LLMReply, LLMRequest, OnProgress, ProviderHealth, StopReason
from combine.prompts.builder import PromptSections, read_prompt
from combine.records import Usage

_DRAFTERS: Mapping[str, Callable[[Reading, Ids], JsonDict]] = {
    "project-discovery": draft_discovery,
    "requirements-doc": draft_requirements,
    "architecture-doc": draft_architecture,
    "strategy-review": draft_review,
}
_ASKS = "project-discovery"
"""The one document before which the rules ask; later questions would only stop a person twice."""


class OfflineProvider:
    """Drafts the four strategy documents from the words of the brief. Costs nothing, claims no tokens."""

    name = "offline"

    async def complete(self, request: LLMRequest, on_progress: OnProgress | None = None) -> LLMReply:
        """The reply a model would give in this form. PermanentLLMError for a document the rules do not know."""
        del on_progress  # there is nothing to wait for
        text = json.dumps(reply_to(request.prefix, request.task), ensure_ascii=False)
        return LLMReply(text=text, stop_reason=StopReason.END, usage=Usage(), model="offline")

    async def check(self) -> ProviderHealth:
        """Always well: there is nothing to reach."""
        return ProviderHealth(self.name, ok=True, message="fixed rules, no language model, no network")

    async def close(self) -> None:
        """Nothing is open."""


def reply_to(prefix: str, task: str) -> JsonDict:
    """The envelope for a rendered prompt."""
    sections = read_prompt(prefix, task)
    if sections.output_type not in _DRAFTERS:
        known = ", ".join(_DRAFTERS)
        raise PermanentLLMError(
            f"The offline drafter knows no document of type {sections.output_type}; it knows: {known}.",
            code="offline_unknown_document",
            hint="Choose a model for this step, for example --model anthropic:claude-sonnet-5-5.",
        )
    reading = read(sections)
    if sections.ask and sections.output_type == _ASKS and sections.draft is None and (asked := ask_questions(reading)):
        return {"questions": asked, "document": None}
    document = _document(reading, sections)
    return {"questions": [], "document": document} if sections.ask else {"document": document}


def _document(reading: Reading, sections: PromptSections) -> JsonDict:
    ids = Ids(sections)
    if isinstance(sections.draft, Mapping):
        return mended(sections.draft, reading, ids)
    return _DRAFTERS[sections.output_type](reading, ids)
