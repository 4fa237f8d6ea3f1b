"""Documents as files: written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from combine.cli.ports import Documents
from combine.errors import CombineError
from combine.services.views import ExecutionDetail

if TYPE_CHECKING:  # costs more to import than a command at a server takes
    from combine.services.documents import DocumentExport


async def write_documents(documents: Documents, detail: ExecutionDetail, folder: Path) -> dict[UUID, Path]:
    """``<type>.json`` and ``<type>.md`` of each document of an execution; where each content went, by document id."""
    paths = {}
    for document in detail.current_documents:
        export = await documents.export(str(document.id))
        paths[document.id] = write_export(export, folder, ("json", "md"))[0]
    return paths


def write_export(export: DocumentExport, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """The asked forms (``json``, ``md``) of one document in ``folder``, replacing files of that name."""
    texts = {"json": export.json_text, "md": export.markdown}
    return [write_bytes(folder / f"{export.document.type}.{form}", texts[form].encode()) for form in formats]


def write_bytes(path: Path, data: bytes) -> Path:
    """One file, replacing what has its name. Raises Invalid if it cannot be written."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # noqa: PTH101 - mkstemp makes files that only their owner may read
        os.replace(name, path)  # noqa: PTH105 - both are plain names here
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - as above
    return path


def _unwritable(path: Path, error: OSError) -> CombineError:
    return CombineError(
        f"{path} cannot be written: {error.strerror}.",
        code="out_unwritable",
        hint="The documents are stored; `combine docs export --out DIR` writes them elsewhere.",
    )
