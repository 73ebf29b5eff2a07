"""The run folder: what a training run keeps about itself, written so that it survives being killed.

config.toml        every setting
run.json           method, commit, command, environment, data set, seed, state
split.csv          image_id, split: which images trained, validated and test
metrics.csv        one row per finished epoch
model.safetensors  weights of the best epoch
stage-1.safetensors  best weights of a stage that ended, of methods with several
model.json         their SHA-256, method, configuration, preparation, thresholds
checkpoints/       what --resume needs
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl
import torch

from crepitus import __version__
from crepitus.data.writer import write_table, write_text
from crepitus.errors import TrainingError

LIBRARIES = (
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "numpy",
    "opencv-python-headless",
    "polars",
    "pydicom",
)


def commit() -> str:
    """Commit of the source tree that runs, with '+' if it was changed since; empty outside a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        tracked = git("ls-files", "--error-unmatch", Path(__file__).name)
        head = git("rev-parse", "HEAD") if tracked else ""
        return head + ("+" if head and git("status", "--porcelain", "--untracked-files=no") else "")
    except OSError:
        return ""


def device_name() -> str:
    """What trains here, in words."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"CPU, {cores} cores, {platform.machine()}"


def environment() -> dict[str, Any]:
    """Versions and device."""
    versions: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "crepitus": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device_name(),
        "libraries": versions,
    }


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_first_process() -> bool:
    """Whether this process may write a run: on several devices every one has a process of its own."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID"))


class RunFolder:
    """Paths and small files of a run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def config(self) -> Path:
        """Every setting."""
        return self.root / "config.toml"

    @property
    def checkpoint(self) -> Path:
        """The last finished epoch, for --resume."""
        return self.root / "checkpoints" / "last.safetensors"

    @property
    def weights(self) -> Path:
        """Weights of the best epoch."""
        return self.root / "model.safetensors"

    @property
    def metrics(self) -> Path:
        """One row per finished epoch."""
        return self.root / "metrics.csv"

    def start(self, method: str, seed: int, data: Path, details: Mapping[str, Any]) -> None:
        """Write run.json of a new run."""
        record = {
            "method": method,
            "state": "training",
            "started": now(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "commit": commit(),
            "seed": seed,
            "data": str(data),
            **details,
            "environment": environment(),
        }
        write_text(self.root / "run.json", json.dumps(record, indent=2) + "\n")

    def wait(self, seconds: float = 120.0) -> None:
        """Wait until another process has made this run."""
        deadline = time.monotonic() + seconds
        while not (self.root / "run.json").is_file() and time.monotonic() < deadline:
            time.sleep(0.2)

    def read(self) -> dict[str, Any]:
        """Content of run.json.

        Raises:
            TrainingError: the folder is no run.
        """
        try:
            record = json.loads((self.root / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(f"{self.root}: expected a run folder with run.json, got: {error}") from error
        if not isinstance(record, dict):
            raise TrainingError(f"{self.root}/run.json: expected an object")
        return record

    def read_model(self) -> dict[str, Any]:
        """Content of model.json of a finished run."""
        return dict(json.loads((self.root / "model.json").read_text(encoding="utf-8")))

    def update(self, **changes: Any) -> None:
        """Change entries of run.json."""
        write_text(self.root / "run.json", json.dumps({**self.read(), **changes}, indent=2) + "\n")

    def write_split(self, roles: Mapping[str, str]) -> None:
        """Store which images trained, validated and test."""
        write_table(
            self.root / "split.csv", pl.DataFrame({"image_id": list(roles), "split": list(roles.values())})
        )

    def read_split(self) -> dict[str, str]:
        """The stored roles."""
        path = self.root / "split.csv"
        if not path.is_file():
            raise TrainingError(f"{self.root}: expected split.csv of a training run, there is none")
        table = pl.read_csv(path, infer_schema=False)
        return dict(zip(table["image_id"], table["split"], strict=True))

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Write metrics.csv from all epochs so far."""
        write_table(self.metrics, pl.DataFrame(history, infer_schema_length=None))
