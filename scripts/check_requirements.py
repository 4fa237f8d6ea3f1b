"""Checks, without a network, that requirements/*.txt match pyproject.toml.

Every dependency must be pinned within its bounds, every pin must have a hash, the layers must agree with each other,
and no file may contain an index, an address or a path of the machine it was compiled on.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)")
# An option line (an index, another file), an address or an absolute path; only hashes are allowed as options.
FOREIGN = re.compile(r"://|^\s*-(?!-hash=)|\s@\s|(?<![\w.])/\w+/")

# The lists of pyproject.toml that each file pins; "" is the list of the package itself.
LAYERS = {
    "runtime": ("",),
    "dev": ("", "dev"),
    "bench": ("", "bench"),
    "build": ("build",),
    "lock": ("lock",),
}
BASES = {"dev": "runtime", "bench": "dev", "build": "dev"}

Pins = dict[str, set[str]]


def read_pins(text: str) -> Pins:
    """Versions by canonical name; a name may have several, for different versions of Python."""
    pins: Pins = {}
    for match in (PIN.match(line) for line in text.splitlines()):
        if match:
            pins.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return pins


def unhashed(text: str) -> Iterator[str]:
    """Names of the pins without a hash."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        match = PIN.match(line)
        if match and "--hash=sha256:" not in line:
            yield match["name"]


def faults_of_layer(layer: str, text: str, wanted: Iterable[str]) -> Iterator[str]:
    """The faults of one file on its own."""
    file = f"requirements/{layer}.txt"
    pins = read_pins(text)
    for name in unhashed(text):
        yield f"{file}: {name} has no hash"
    for number, line in enumerate(text.splitlines(), 1):
        if FOREIGN.search(line):
            yield f"{file}:{number}: an option, an address or a path: {line.strip()}"
    for text_of_one in wanted:
        requirement = Requirement(text_of_one)
        versions = pins.get(canonicalize_name(requirement.name))
        if not versions:
            yield f"{file}: {requirement.name} is missing"
        for version in sorted(versions or ()):
            if not requirement.specifier.contains(version, prereleases=True):
                yield f"{file}: {requirement.name} {version} is outside {requirement.specifier}"


def faults(folder: Path) -> Iterator[str]:
    """All differences between pyproject.toml and requirements/ in this folder."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    lists = {"": project["project"]["dependencies"], **project["dependency-groups"]}
    pins: dict[str, Pins] = {}
    for layer, names in LAYERS.items():
        path = folder / "requirements" / f"{layer}.txt"
        if not path.exists():
            yield f"requirements/{layer}.txt is missing"
            continue
        text = path.read_text(encoding="utf-8")
        pins[layer] = read_pins(text)
        yield from faults_of_layer(layer, text, [one for name in names for one in lists[name]])
    for layer, base in BASES.items():
        below = pins.get(base, {})
        for name, versions in pins.get(layer, {}).items():
            if name in below and not versions <= below[name]:
                yield f"requirements/{layer}.txt: {name} differs from requirements/{base}.txt"


def main() -> int:
    """Print every fault; returns 1 if there are any."""
    found = list(faults(Path(__file__).resolve().parent.parent))
    for fault in found:
        print(fault)
    print("requirements: run `make lock`" if found else "requirements match pyproject.toml")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
