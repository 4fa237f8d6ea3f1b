"""What a person waits for: `combine --help`, the first and the second `combine run` with the offline drafter.

Prints a Markdown table with the date and the machine; writes nothing outside a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMBINE = Path(sys.executable).parent / "combine"


@dataclass(frozen=True, slots=True)
class Measure:
    """Wall seconds and peak memory of one process."""

    seconds: float
    peak_mb: float


def run(arguments: list[str], environment: dict[str, str]) -> Measure:
    """Run `combine` once; its children (the database server) do not count towards its peak memory."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [COMBINE, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.stderr.write(output.read().decode("utf-8", "replace"))
            sys.exit(f"combine {' '.join(arguments)}: exit code {process.returncode}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return Measure(seconds, usage.ru_maxrss / unit)


def median(measures: list[Measure]) -> Measure:
    return Measure(statistics.median(m.seconds for m in measures), max(m.peak_mb for m in measures))


def machine() -> str:
    """Processor, cores, system and Python in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def row(what: str, measure: Measure, seconds_mark: float, memory_mark: float | None) -> str:
    met = measure.seconds < seconds_mark and (memory_mark is None or measure.peak_mb < memory_mark)
    memory = f"{measure.peak_mb:.0f} MB" + (f" (< {memory_mark:g})" if memory_mark else "")
    return f"| {what} | {measure.seconds:.2f} s | < {seconds_mark:g} s | {memory} | {'yes' if met else 'NO'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", type=Path, default=ROOT / "examples" / "bicycle-workshop.md")
    parser.add_argument("--repeat", type=int, default=5, help="number of runs per measurement; the median counts")
    given = parser.parse_args()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("COMBINE_", "ANTHROPIC_", "OPENAI_"))
    }
    with tempfile.TemporaryDirectory(prefix="combine-bench-") as folder:
        environment["COMBINE_DATA_DIR"] = f"{folder}/data"
        offline = ["run", str(given.brief), "--model", "offline", "--no-questions", "--out", f"{folder}/out"]
        run(["--help"], environment)  # fills the file cache and the bytecode cache
        rows = [row("`combine --help`", median([run(["--help"], environment) for _ in range(given.repeat)]), 0.5, None)]
        try:
            rows.append(row("`combine run` offline, fresh data folder", run(offline, environment), 8, 250))
            warm = median([run(offline, environment) for _ in range(given.repeat)])
            rows.append(row("`combine run` offline, after that", warm, 4, 250))
        finally:
            subprocess.run([COMBINE, "db", "stop"], env=environment, check=False, capture_output=True)
    print(f"## Start and memory\n\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine()}\n")
    print("| what | wall (median) | target | peak memory | met |\n| --- | --- | --- | --- | --- |")
    print("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
