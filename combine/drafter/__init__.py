"""The offline drafter: fixed rules instead of a language model.

It reads the same prompt a model would get and answers in the same envelope. It never adds a fact: every item quotes
the brief, an answer, an upstream item or an assumption that it declares.
"""

from combine.drafter.provider import OfflineProvider

__all__ = ["OfflineProvider"]
