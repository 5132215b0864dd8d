"""Copies uv's own lines from dev.lock to bootstrap.lock, which pip installs before all else."""

from pathlib import Path

folder = Path(__file__).parent
lines = (folder / "dev.lock").read_text().splitlines(keepends=True)
start = next(number for number, line in enumerate(lines) if line.startswith("uv=="))
end = next(
    number for number, line in enumerate(lines) if number > start and not line.startswith(" ")
)
(folder / "bootstrap.lock").write_text("".join(lines[start:end]))
