"""A conversion that is killed, runs out of disk or is started twice ends as if nothing had happened."""

import random
import resource
import signal
import subprocess
import sys
import time

import pytest
from test_convert import add, run

from crepitus.data.converting import WORK, Settings, convert
from crepitus.data.journal import Journal, read_journal
from crepitus.errors import UsageError

STUDIES = 24


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Studies, some of whose files are no images; an uninterrupted conversion of them; its key file."""
    root = tmp_path_factory.mktemp("resume")
    for number in range(STUDIES):
        add(root / "in", f"{number:03}/a", patient=f"P{number // 2}", study=f"S{number}")
    (root / "in" / "003" / "b").write_bytes((root / "in" / "003" / "a").read_bytes())
    (root / "in" / "005" / "b").write_bytes(b"nothing")
    add(root / "key", "a")
    run(root / "key", root / "unused", keys=root / "keys.json")
    run(root / "in", root / "whole", keys=root / "keys.json", workers=2)
    return root


def start(source, out, **options):
    command = [sys.executable, "-m", "crepitus", "convert", source / "in", "--out", out, "--workers", "2"]
    command += ["--keys", source / "keys.json"]
    return subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, **options)


def content(out):
    return {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def journalled(out):
    path = out / WORK / "journal"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def test_killed_at_any_moment_it_ends_the_same(source, tmp_path):
    out = tmp_path / "out"
    random.seed(4)
    kills = 0
    for wanted in (0, 8, STUDIES):
        process = start(source, out)
        while process.poll() is None and journalled(out) < wanted:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stderr.close()
        # What can be opened as a data set is whole; before that, there is none.
        assert (out / "images.parquet").exists() or not (out / "dataset.json").exists()
    assert kills >= 2
    outcome = run(source / "in", out, keys=source / "keys.json")
    assert outcome.images == STUDIES
    assert content(out) == content(source / "whole")


def killed_after(source, tmp_path, count):
    """A conversion that was killed after `count` entries; one that was faster than the signal is repeated."""
    for attempt in range(10):
        out = tmp_path / f"out{attempt}"
        process = start(source, out)
        while process.poll() is None and journalled(out) < count:
            time.sleep(0.002)
        process.kill()
        process.wait()
        process.stderr.close()
        if process.returncode == -signal.SIGKILL:
            return out
    raise AssertionError("ten conversions were finished before they could be stopped")


def test_what_was_finished_is_not_done_again(source, tmp_path):
    out = killed_after(source, tmp_path, 5)
    done = journalled(out)
    outcome = run(source / "in", out, keys=source / "keys.json")
    assert outcome.progress.resumed >= min(done, 5)


def test_half_written_files_and_lines_are_not_taken_for_whole(source, tmp_path):
    out = killed_after(source, tmp_path, 6)
    files = sorted((out / WORK / "files").glob("*.png"))
    files[0].write_bytes(files[0].read_bytes()[:-7])
    files[1].unlink()
    with (out / WORK / "journal").open("ab") as stream:
        stream.write(b'{"name": "003/a", "stamp": "')
    (out / WORK / "files" / "x.1.tmp").write_bytes(b"half")
    run(source / "in", out, keys=source / "keys.json")
    assert content(out) == content(source / "whole")


def test_a_source_that_changed_in_between_is_read_again(tmp_path):
    add(tmp_path / "in", "a")
    add(tmp_path / "in", "b")
    with pytest.raises(KeyboardInterrupt):
        convert(Settings(tmp_path / "in"), tmp_path / "out", watch=interrupt)
    before = [record["stamp"] for record in read_journal(tmp_path / "out" / WORK / "journal")]
    assert len(before) == 1
    add(tmp_path / "in", "a", WindowWidth="1000")
    outcome = run(tmp_path / "in", tmp_path / "out")
    assert (outcome.images, outcome.progress.resumed) == (2, 0)


def interrupt(progress):
    raise KeyboardInterrupt


def test_other_options_do_not_go_on(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        convert(Settings(source / "in"), tmp_path / "out", watch=interrupt)
    with pytest.raises(UsageError, match="other options"):
        run(source / "in", tmp_path / "out", dicom=True)
    with pytest.raises(UsageError, match="other options"):
        run(source / "key", tmp_path / "out")


def test_two_processes_do_not_write_into_one_folder(source, tmp_path):
    def second(progress):
        with pytest.raises(UsageError, match="another process"):
            run(source / "key", tmp_path / "out")

    assert convert(Settings(source / "key"), tmp_path / "out", watch=second).images == 1


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


def test_full_disk_is_one_line_and_goes_on_later(source, tmp_path):
    # A limit on the size of files gives the same kind of error as a disk without room.
    process = start(source, tmp_path / "out", preexec_fn=limit_files)
    _, error = process.communicate()
    assert process.returncode == 2
    (line,) = error.strip().splitlines()
    assert "cannot write" in line
    assert "goes on where it stopped" in line
    assert not (tmp_path / "out" / "dataset.json").exists()
    run(source / "in", tmp_path / "out", keys=source / "keys.json")
    assert content(tmp_path / "out") == content(source / "whole")


def test_journal_keeps_whole_lines_only(tmp_path):
    path = tmp_path / "journal"
    assert list(read_journal(path)) == []
    with Journal(path) as journal:
        journal.append({"name": "a\udcff", "n": 1})
        journal.append({"name": "b", "n": None})
    with path.open("ab") as stream:
        stream.write(b'{"name": "c')
    assert [record["name"] for record in read_journal(path)] == ["a\udcff", "b"]
    with Journal(path) as journal:
        journal.append({"name": "d"})
    assert [record["name"] for record in read_journal(path)] == ["a\udcff", "b", "d"]
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b'{"name": "a"}\n\0\0\0\0\n')
    assert [record["name"] for record in read_journal(path)] == ["a"]
