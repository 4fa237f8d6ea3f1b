"""Writes files completely or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from combine.cli.ports import Documents
from combine.errors import CombineError, Invalid
from combine.services.views import DocumentExport, ExecutionDetail

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def prepare_folder(folder: Path) -> None:
    """Create the directory for the documents and check that it is writable. Raises Invalid."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = "it is a file, not a directory" if folder.is_file() else error.strerror
        raise Invalid(
            f"Cannot write documents to {folder}: {reason}.",
            code="out_unwritable",
            hint="Choose a writable directory with --out.",
        ) from None


async def write_documents(documents: Documents, detail: ExecutionDetail, folder: Path) -> dict[UUID, Path]:
    """Write ``<type>.json`` and ``<type>.md`` of each document. Returns the path of the JSON file by document id."""
    paths = {}
    for document in detail.current_documents:
        export = await documents.export(str(document.id))
        paths[document.id] = write_export(export, folder, ("json", "md"))[0]
    return paths


def write_export(export: DocumentExport, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write a document to ``folder`` in the given formats (``json``, ``md``), replacing existing files.

    Raises CombineError, also for a document type that is not a plain name: a server could name a file elsewhere.
    """
    if _TYPE.fullmatch(export.document.type) is None:
        raise CombineError(
            f"{export.document.type!r} is not a document type: it must consist of letters, digits, - and _.",
            code="out_unwritable",
            hint="The server may not be the one that you expect; check its address.",
        )
    texts = {"json": export.json_text, "md": export.markdown}
    return [write_bytes(folder / f"{export.document.type}.{form}", texts[form].encode()) for form in formats]


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file, replacing an existing one. Raises CombineError."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # noqa: PTH101 - mkstemp creates files that only the owner can read
        os.replace(name, path)  # noqa: PTH105 - both are strings here
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - as above
    return path


def _unwritable(path: Path, error: OSError) -> CombineError:
    return CombineError(
        f"Cannot write {path}: {error.strerror}.",
        code="out_unwritable",
        hint="The documents are stored; write them elsewhere with `combine docs export --out DIR`.",
    )
