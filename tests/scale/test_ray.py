"""Two machines of a Ray cluster, one of which is lost: the result is that of one machine, byte for byte."""

import os
import threading
import time
from pathlib import Path

import lost_machine
import pytest
from studies import content, hospital, study

from crepitus.cli import main
from crepitus.data.convert_file import convert_file
from crepitus.data.convert_source import PathSource
from crepitus.data.converting import WORK, Settings, convert, run_conversion
from crepitus.data.output import FolderOutput
from crepitus.data.preparing import prepare
from crepitus.dicom.pool import Limits
from crepitus.errors import CrepitusError, UsageError
from crepitus.prepare.pipeline import Recipe
from crepitus.scale.cluster import connected, import_ray
from crepitus.scale.entries import PathEntries
from crepitus.scale.ray_pool import Job, RayExecutor
from crepitus.scale.staging import Carriage

STUDIES = 24
LIMITS = Limits(memory_bytes=1 << 29, seconds=300)
NODE = {"num_cpus": 1, "memory": 2 << 30, "object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Studies, a key file, and an uninterrupted conversion on this machine."""
    root = tmp_path_factory.mktemp("ray")
    hospital(root / "in", STUDIES)
    study(root / "key" / "a", 99)
    convert(Settings(root / "key", keys=root / "keys.json"), root / "unused")
    convert(Settings(root / "in", keys=root / "keys.json"), root / "whole")
    return root


def start():
    """A cluster of two machines with one CPU each, and the second of them."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        cluster.add_node(**NODE)
        return cluster, cluster.add_node(**NODE, env_vars={"CREPITUS_TEST_LOST": "1"})
    except BaseException:
        cluster.shutdown()
        raise


@pytest.fixture(scope="module")
def nodes():
    """What `start` gives; Ray allows a machine 30 s, which a busy one may need more than once."""
    import_ray()
    before = os.environ.get("PYTHONPATH")
    paths = [str(Path(__file__).parent), *([before] if before else [])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        for left in (2, 1, 0):
            try:
                cluster, second = start()
                break
            except Exception as error:
                if not left or "timed out during startup" not in str(error):
                    raise
    yield cluster, second
    cluster.shutdown()


class LosesAMachine(RayExecutor):
    """Gives the cluster work at which one of its machines stops."""

    def pool(self, function, options):
        assert function is convert_file
        return super().pool(lost_machine.convert_or_stop, options)


def kill_when_stopped(cluster, node, flag):
    """A thread that kills a node, without a farewell, once it has stopped."""

    def wait():
        while not flag.exists():
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def run(source, out, executor, watch):
    settings = Settings(source / "in", keys=source / "keys.json")
    return run_conversion(settings, PathSource(source / "in"), FolderOutput(out, WORK), executor, watch=watch)


def interrupt(progress):
    if progress.files >= 5:
        raise KeyboardInterrupt


def test_interrupted_and_then_a_machine_is_lost(source, nodes, tmp_path):
    cluster, second = nodes
    out = tmp_path / "out"
    carriage = Carriage(PathEntries())
    with connected(cluster.address) as sentence:
        assert sentence.endswith("2 machines, 2 CPUs")
        with pytest.raises(KeyboardInterrupt):
            run(source, out, RayExecutor(carriage, limits=LIMITS), interrupt)
        assert not (out / "dataset.json").exists()
        executor = LosesAMachine(carriage, limits=LIMITS)
        killing = kill_when_stopped(cluster, second, out / WORK / "stopped")
        outcome = run(source, out, executor, lambda progress: None)
        killing.join()
    # One of the five that the interrupted run had counted is refused by its name and not in the journal.
    assert outcome.progress.resumed >= 4
    answered = executor.report.by_machine
    assert (len(answered), answered[second.node_id]) == (2, lost_machine.BATCH)
    assert executor.report.repeated == lost_machine.BATCH
    # The studies, a copy, the text, the cut file, and two members of the archive; the third is never opened.
    assert sum(answered.values()) + outcome.progress.resumed == STUDIES + 5
    assert content(out) == content(source / "whole")


def test_command_line_through_a_store_that_all_machines_reach(source, nodes, tmp_path, capsys, monkeypatch):
    # `local://` goes through fsspec as s3:// does, and is seen by other processes, as memory:// is not.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    places = [f"local://{source / 'key'}", "--out", f"local://{tmp_path / 'out'}"]
    with pytest.raises(SystemExit) as end:
        main(["convert", *places, "--ray", nodes[0].address, "--keys", str(source / "keys.json")])
    output = capsys.readouterr()
    assert end.value.code == 0, output.err
    assert output.out.startswith("1 images, 0 rejected")
    assert "joined the cluster" in output.err
    assert sorted(name.partition("/")[0] for name in content(tmp_path / "out")) == [
        "dataset.json",
        "images",
        "images.parquet",
        "rejected.csv",
    ]
    prepared = tmp_path / "prepared"
    with pytest.raises(SystemExit) as end:
        main(["prepare", places[2], "--out", str(prepared), "--size", "32", "--ray", nodes[0].address])
    output = capsys.readouterr()
    assert end.value.code == 0, output.err
    prepare(tmp_path / "out", Recipe(("polarity", "pad", "resize"), size=32), tmp_path / "here")
    found, expected = content(prepared), content(tmp_path / "here")
    assert found.pop("dataset.json")
    del expected["dataset.json"]  # it names the source
    assert found == expected


def test_addresses_without_a_cluster_are_one_line(source, tmp_path, capsys):
    for address, words in (("nowhere", "expected auto or HOST:PORT"), ("127.0.0.1:1", "nobody answers")):
        with pytest.raises(SystemExit) as end:
            main(["convert", str(source / "in"), "--out", str(tmp_path / "out"), "--ray", address])
        assert end.value.code == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert words in line
    assert not (tmp_path / "out").exists()


def test_a_machine_that_does_not_see_the_folders_says_so(source, tmp_path):
    (entry, *_) = PathSource(source / "key").entries()
    with pytest.raises(CrepitusError, match="mount SOURCE on every machine"):
        PathEntries().bring(type(entry)("a", str(tmp_path / "none"), None, ""), tmp_path)
    options = type("Options", (), {"folder": tmp_path / "none"})()
    with pytest.raises(CrepitusError, match="mount the folder of --out"):
        Job(print, options, LIMITS, Carriage(PathEntries())).pool()
    with pytest.raises(CrepitusError, match="same version"):
        Job(print, options, LIMITS, Carriage(PathEntries()), version="0").pool()


def test_a_cluster_without_room_is_refused(nodes):
    with connected(nodes[0].address), pytest.raises(UsageError, match="4096 MiB of memory"):
        RayExecutor(Carriage(PathEntries()), limits=Limits(memory_bytes=4 << 30)).pool(print, None)
