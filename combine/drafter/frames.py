"""The sentences the rules put around the words of a brief, in the languages they can write."""

from __future__ import annotations

from combine.drafter.frame_types import ComponentFrame, DecisionFrame, Frames, QuestionFrame
from combine.drafter.frames_de import GERMAN_FRAMES
from combine.drafter.frames_en import ENGLISH_FRAMES

__all__ = ["ComponentFrame", "DecisionFrame", "Frames", "QuestionFrame", "frames_for"]


def frames_for(language: str) -> Frames:
    """German for ``de``, English for every other language."""
    return GERMAN_FRAMES if language == "de" else ENGLISH_FRAMES
