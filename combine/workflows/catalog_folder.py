"""Reads one directory of workflows, prompts and schemas; errors are collected as faults, never raised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from combine.workflows.definitions import Fault


@dataclass(frozen=True, slots=True)
class TextAsset:
    """A prompt file."""

    name: str
    text: str
    """Line ends are ``\\n`` whatever the file has."""
    sha256: str
    """Hex digest of ``text`` in UTF-8."""


@dataclass(frozen=True, slots=True)
class SchemaAsset:
    """The JSON Schema of a document type."""

    type: str
    schema: Mapping[str, Any]
    sha256: str
    """Hex digest of the file's text, so that the order of the properties counts."""
    title: str


@dataclass(frozen=True, slots=True)
class FileFault:
    """A fault and the file it is in."""

    file: str
    fault: Fault

    def as_dict(self) -> dict[str, str]:
        """For ``details`` of an error."""
        return {"file": self.file, "code": self.fault.code, "path": self.fault.path, "message": self.fault.message}


@dataclass(slots=True)
class CatalogFolder:
    """What one folder holds, by name; ``files`` remembers where each came from."""

    workflows: list[tuple[Path, object]] = field(default_factory=list)
    roles: dict[str, TextAsset] = field(default_factory=dict)
    tasks: dict[str, TextAsset] = field(default_factory=dict)
    """By file stem: ``<workflow>-<step>``."""
    models: dict[str, TextAsset] = field(default_factory=dict)
    schemas: dict[str, SchemaAsset] = field(default_factory=dict)
    house_rules: TextAsset | None = None
    faults: list[FileFault] = field(default_factory=list)


def read_folder(root: Path) -> CatalogFolder:
    """Read ``workflows/*.json``, ``prompts/**`` and ``schemas/*/*.json`` under ``root``."""
    folder = CatalogFolder()
    if not root.is_dir():
        message = f"The directory {root} does not exist; create it or correct COMBINE_WORKFLOWS_DIR."
        folder.faults.append(FileFault(str(root), Fault("folder_missing", "$", message)))
        return folder
    for path in _files(root, "workflows/*.json"):
        raw = _read_json(path, folder)
        if raw is not None:
            folder.workflows.append((path, raw[1]))
    for place, found in (("roles", folder.roles), ("tasks", folder.tasks), ("models", folder.models)):
        for path in _files(root, f"prompts/{place}/*.txt"):
            asset = _read_prompt(path, folder)
            if asset is not None:
                found[asset.name] = asset
    for path in _files(root, "prompts/house-rules.txt"):
        folder.house_rules = _read_prompt(path, folder)
    for path in _files(root, "schemas/*/*.json"):
        _read_schema(path, folder)
    return folder


def parse_json(text: str) -> tuple[object, Fault | None]:
    """The value of a JSON text, or a fault that names line and column; a key given twice is a fault."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise _DoubleKeyError(twice)
        return made

    def refuse(word: str) -> object:
        raise _NoNumberError(word)

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse), None
    except json.JSONDecodeError as error:
        message = f"Invalid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        return None, Fault("not_json", "$", message)
    except _DoubleKeyError as error:
        return None, Fault("not_json", "$", f"Duplicate key {error} in an object; keep one of them.")
    except _NoNumberError as error:
        return None, Fault("not_json", "$", f"{error} is not a valid JSON number.")
    except RecursionError:
        return None, Fault("not_json", "$", "The JSON is nested too deeply; flatten it.")


class _DoubleKeyError(Exception):
    """An object has the same key twice."""


class _NoNumberError(Exception):
    """NaN or Infinity."""


def _files(root: Path, pattern: str) -> Iterator[Path]:
    found = (path for path in sorted(root.glob(pattern)) if not path.name.startswith("."))
    return (path for path in found if path.is_file() or _leads_nowhere(path))


def _leads_nowhere(path: Path) -> bool:
    """Whether it is a broken symbolic link."""
    return path.is_symlink() and not path.exists()


def _read_text(path: Path, folder: CatalogFolder) -> str | None:
    try:
        # utf-8-sig: editors on Windows begin a file with a byte order mark.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"The file is not valid UTF-8 at byte {error.start}; save it as UTF-8."
        folder.faults.append(FileFault(str(path), Fault("not_utf8", "$", message)))
        return None
    except OSError as error:
        message = f"Cannot read the file ({error.strerror}); check its permissions."
        if _leads_nowhere(path):
            message = f"Broken link to {path.readlink()}; fix or remove it."
        folder.faults.append(FileFault(str(path), Fault("unreadable", "$", message)))
        return None
    text = text.replace("\r\n", "\n")
    if not text.strip():
        message = "The file is empty; add its text or remove the file."
        folder.faults.append(FileFault(str(path), Fault("empty_file", "$", message)))
        return None
    return text


def _read_prompt(path: Path, folder: CatalogFolder) -> TextAsset | None:
    text = _read_text(path, folder)
    return None if text is None else TextAsset(path.stem, text, _sha256(text))


def _read_json(path: Path, folder: CatalogFolder) -> tuple[str, object] | None:
    text = _read_text(path, folder)
    if text is None:
        return None
    value, fault = parse_json(text)
    if fault is not None:
        folder.faults.append(FileFault(str(path), fault))
        return None
    return text, value


def _read_schema(path: Path, folder: CatalogFolder) -> None:
    read = _read_json(path, folder)
    if read is None:
        return
    text, schema = read
    if not isinstance(schema, dict):
        message = "The schema of a document type must be a JSON object."
        folder.faults.append(FileFault(str(path), Fault("invalid_schema", "$", message)))
        return
    name = path.stem
    if name in folder.schemas:
        message = f"The type {name!r} also has a schema in another directory; type names must be unique."
        folder.faults.append(FileFault(str(path), Fault("name_clash", "$", message)))
        return
    title = schema.get("title")
    shown = title if isinstance(title, str) and title.strip() else name.replace("-", " ").capitalize()
    folder.schemas[name] = SchemaAsset(name, schema, _sha256(text), shown)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
