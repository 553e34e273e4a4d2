"""`make lock`: pins the newest versions of everything, ours and theirs, in pyproject.toml.

uv.lock names the index each file came from, so it stays out of the repository; the exact
versions stand in `[tool.uv] constraint-dependencies` instead, which every `uv run` honors.
"""

import re
import subprocess
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
PINS = re.compile(r"constraint-dependencies = \[\n.*?\]\n", re.DOTALL)
EXPORT = "uv export --all-groups --no-hashes --no-emit-project --no-annotate --no-header --quiet"


def write(pins: list[str]) -> None:
    """Put `pins` where the old ones stood."""
    lines = "".join(f"  {pin},\n" for pin in pins)
    text = PINS.sub("", PYPROJECT.read_text())
    section = f"[tool.uv]\nconstraint-dependencies = [\n{lines}]\n"
    PYPROJECT.write_text(text.replace("[tool.uv]\n", section, 1))


def main() -> None:
    """Resolve without pins, then pin what came of it."""
    write([])
    Path("uv.lock").unlink(missing_ok=True)
    found = subprocess.run(
        EXPORT.split(), cwd=PYPROJECT.parent, check=True, capture_output=True, text=True
    ).stdout
    pins = [f'"{line.replace(chr(34), chr(39))}"' for line in found.splitlines()]
    write(pins)
    print(f"{len(pins)} versions pinned.")  # noqa: T201


if __name__ == "__main__":
    main()
