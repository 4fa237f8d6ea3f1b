"""The file form of a script for the ``scripted`` provider: YAML or JSON, named by ``COMBINE_SCRIPTED_FILE``.

::

    delay_s: 0.5                      # optional: the default for all replies
    replies:
      project-discovery:              # a document type; "*" stands for every other type
        - json: {questions: [...], document: null}
        - file: discovery.json        # relative to the script
          delay_s: 2
        - text: '{"document": '       # raw text, here invalid JSON
          stop_reason: max_tokens     # end (default), max_tokens, refusal, context_exceeded, other
          usage: {input_tokens: 900, output_tokens: 12, cache_read_tokens: 0, cache_write_tokens: 0}
        - error: {kind: transient, code: provider_overloaded, message: Down., retry_after_s: 30}
        - json: {document: {...}}
          when: {contains: "<draft>", lacks: ["<findings>"]}
      requirements-doc: always this text

Each reply is a string, or a mapping with exactly one of ``text``, ``json``, ``file`` or ``error``. A type has one reply
or a list, whose last one repeats. ``error`` is ``transient``, ``permanent`` or a mapping with ``kind``.
Optional keys: ``delay_s``, ``stop_reason``, ``usage``, ``detail``, ``model`` and ``when`` (see ``scripted.py`` for
what ``when`` means and how positions are counted).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import yaml

from combine.errors import Invalid, LLMError, PermanentLLMError, TransientLLMError
from combine.llm.protocol import StopReason
from combine.llm.scripted import ScriptedReply, When
from combine.records import Usage

_CONTENTS: Final = ("text", "json", "file", "error")
_REPLY_KEYS: Final = frozenset({*_CONTENTS, "delay_s", "stop_reason", "usage", "detail", "model", "when"})
_ERROR_KEYS: Final = frozenset({"kind", "code", "message", "hint", "retry_after_s"})
_KINDS: Final[dict[str, type[LLMError]]] = {"transient": TransientLLMError, "permanent": PermanentLLMError}


def load_script(path: Path) -> dict[str, tuple[ScriptedReply, ...]]:
    """The script in ``path``. Raises Invalid: ``script_unreadable``, or ``script_invalid`` with all errors at once."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Invalid(
            f"The script {path} cannot be read: {error}",
            code="script_unreadable",
            hint="Point COMBINE_SCRIPTED_FILE to a YAML or JSON file.",
        ) from error
    reader = _Reader(path.parent)
    script = reader.script(raw)
    if reader.faults:
        raise Invalid(
            f"The script {path} is not valid:\n  " + "\n  ".join(reader.faults),
            code="script_invalid",
            hint="Fix the errors listed above.",
            details={"faults": list(reader.faults)},
        )
    return script


@dataclass(slots=True)
class _Reader:
    folder: Path
    faults: list[str] = field(default_factory=list)

    def script(self, raw: object) -> dict[str, tuple[ScriptedReply, ...]]:
        top = self._mapping(raw, "the file", frozenset({"replies", "delay_s"}))
        delay = self._seconds(top.get("delay_s", 0), "delay_s")
        replies = top.get("replies")
        if not isinstance(replies, Mapping) or not replies:
            self.faults.append("replies: must be a mapping of document types to replies")
            return {}
        return {str(name): self._sequence(value, f"replies.{name}", delay) for name, value in replies.items()}

    def _sequence(self, raw: object, where: str, delay: float) -> tuple[ScriptedReply, ...]:
        if not isinstance(raw, list):
            return (self._reply(raw, where, delay),)
        if not raw:
            self.faults.append(f"{where}: must not be empty")
        return tuple(self._reply(one, f"{where}[{index}]", delay) for index, one in enumerate(raw))

    def _reply(self, raw: object, where: str, delay: float) -> ScriptedReply:
        if isinstance(raw, str):
            return ScriptedReply(text=raw, delay_s=delay)
        given = self._mapping(raw, where, _REPLY_KEYS)
        contents = [key for key in _CONTENTS if key in given]
        if len(contents) != 1:
            self.faults.append(f"{where}: must have exactly one of {', '.join(_CONTENTS)}")
            return ScriptedReply()
        return ScriptedReply(
            text=self._text(contents[0], given[contents[0]], where),
            delay_s=self._seconds(given["delay_s"], f"{where}.delay_s") if "delay_s" in given else delay,
            stop_reason=self._stop_reason(given.get("stop_reason", StopReason.END), where),
            usage=self._usage(given["usage"], f"{where}.usage") if "usage" in given else None,
            error=self._error(given["error"], f"{where}.error") if "error" in given else None,
            model=str(given.get("model", "scripted")),
            detail=str(given["detail"]) if "detail" in given else None,
            when=self._when(given["when"], f"{where}.when") if "when" in given else None,
        )

    def _text(self, kind: str, value: object, where: str) -> str:
        if kind == "json":
            try:
                return json.dumps(value, ensure_ascii=False)
            except TypeError as error:
                self.faults.append(f"{where}.json: {error} (quote dates)")
        elif kind == "file":
            try:
                return (self.folder / str(value)).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                self.faults.append(f"{where}.file: {error}")
        elif kind == "text":
            if isinstance(value, str):
                return value
            self.faults.append(f"{where}.text: must be a string (use json for other values)")
        return ""

    def _error(self, raw: object, where: str) -> LLMError:
        given = self._mapping({"kind": raw} if isinstance(raw, str) else raw, where, _ERROR_KEYS)
        family = _KINDS.get(str(given.get("kind")))
        if family is None:
            self.faults.append(f"{where}.kind: must be one of {', '.join(_KINDS)}")
            family = PermanentLLMError
        details = {}
        if "retry_after_s" in given:
            details["retry_after_s"] = self._seconds(given["retry_after_s"], f"{where}.retry_after_s")
        optional = {key: str(given[key]) for key in ("code", "message", "hint") if key in given}
        return family(optional.get("message"), code=optional.get("code"), hint=optional.get("hint"), details=details)

    def _stop_reason(self, raw: object, where: str) -> StopReason:
        try:
            return StopReason(str(raw))
        except ValueError:
            self.faults.append(f"{where}.stop_reason: must be one of {', '.join(StopReason)}, not {raw!r}")
            return StopReason.END

    def _usage(self, raw: object, where: str) -> Usage:
        names = frozenset(one.name for one in fields(Usage))
        given = self._mapping(raw, where, names)
        if not all(isinstance(count, int) and count >= 0 for count in given.values()):
            self.faults.append(f"{where}: must be integers of at least 0")
            return Usage()
        return Usage(**{name: given[name] for name in names if name in given})

    def _when(self, raw: object, where: str) -> When:
        given = self._mapping(raw, where, frozenset({"contains", "lacks"}))
        if not given:
            self.faults.append(f"{where}: contains or lacks is required")
        return When(self._texts(given.get("contains")), self._texts(given.get("lacks")))

    @staticmethod
    def _texts(raw: object) -> tuple[str, ...]:
        if raw is None:
            return ()
        return tuple(str(one) for one in raw) if isinstance(raw, list) else (str(raw),)

    def _seconds(self, raw: object, where: str) -> float:
        if isinstance(raw, int | float) and not isinstance(raw, bool) and raw >= 0:
            return float(raw)
        self.faults.append(f"{where}: must be a number of seconds of at least 0, not {raw!r}")
        return 0.0

    def _mapping(self, raw: object, where: str, known: frozenset[str]) -> Mapping[str, Any]:
        if not isinstance(raw, Mapping):
            self.faults.append(f"{where}: must be a mapping, not {type(raw).__name__}")
            return {}
        self.faults.extend(f"{where}: unknown key {key!r}" for key in raw if key not in known)
        return {str(key): value for key, value in raw.items() if key in known}
