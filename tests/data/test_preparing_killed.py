"""A preparation that is killed with SIGKILL and started again ends with the files of one that was not."""

import signal
import subprocess
import sys
import time

import numpy as np

from crepitus.data import DataSetWriter
from crepitus.data.preparing import WORK
from crepitus.structures import Annotation, Points, Radiograph

IMAGES = 12


def start(source, out):
    words = [
        "prepare",
        source,
        "--out",
        out,
        "--steps",
        "polarity,pad,resize",
        "--size",
        "32",
        "--workers",
        "2",
    ]
    command = [sys.executable, "-m", "crepitus", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def content(out):
    return {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def journalled(out):
    path = out / WORK / "journal"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def test_killed_and_started_again_it_ends_the_same(tmp_path):
    rng = np.random.default_rng(0)
    with DataSetWriter(tmp_path / "in", {"name": "t"}, annotated=("points",)) as writer:
        for number in range(IMAGES):
            pixels = rng.normal(20, 4, (60, 48))
            pixels[:, 15:30] += 150
            pixels = pixels.clip(0, 255).astype(np.uint8) * np.uint8(number != 5)
            annotation = Annotation(1, Points(np.array([[20.5, 30.5]])))
            writer.add(Radiograph(f"i{number:02}", pixels), annotation)
    assert start(tmp_path / "in", tmp_path / "whole").wait() == 3, "image 5 is blank"
    killed = 0
    for wanted in (0, 3):
        process = start(tmp_path / "in", tmp_path / "out")
        while process.poll() is None and journalled(tmp_path / "out") < wanted:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert not (tmp_path / "out" / "dataset.json").exists() or process.returncode == 3
    assert killed >= 1
    assert start(tmp_path / "in", tmp_path / "out").wait() == 3
    assert content(tmp_path / "out") == content(tmp_path / "whole")
