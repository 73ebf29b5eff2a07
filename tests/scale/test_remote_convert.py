"""Sources and outputs behind URLs give what paths give; a store that fails is no damaged file."""

import csv
import io
import json
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from studies import REJECTED, content, hospital, study

from crepitus.cli import main
from crepitus.data.converting import Settings, convert
from crepitus.errors import CrepitusError, UsageError
from crepitus.scale import remote
from crepitus.scale.commands import Means, convert_anywhere
from crepitus.scale.remote import OutputError, Remote, StorageError, place_of

COUNT = 5


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A source, a key file, and what a conversion on this machine makes of it."""
    root = tmp_path_factory.mktemp("scale")
    hospital(root / "in", COUNT)
    study(root / "key" / "a", 99)
    convert(Settings(root / "key", keys=root / "keys.json"), root / "unused")
    outcome = convert(Settings(root / "in", keys=root / "keys.json"), root / "out", workers=2)
    assert outcome.images == COUNT + 2
    return root


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store in memory; unfinished work stays in the test's folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(remote, "_WAITS", (0.0,))
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield fsspec.filesystem("memory")
    MemoryFileSystem.store.clear()


def upload(store, folder, url):
    for name, data in content(folder).items():
        store.pipe_file(f"{url}/{name}", data)


def download(store, url):
    root = store._strip_protocol(url)
    return {path[len(root) + 1 :]: store.cat_file(path) for path in sorted(store.find(root))}


def same(found, folder):
    """Whether a data set is that in `folder`, byte for byte, but for the digest, which names the source."""
    expected = content(folder)
    for files in (found, expected):
        info = json.loads(files["dataset.json"])
        del info["conversion"]
        files["dataset.json"] = info
    assert found == expected


def test_from_url_to_url_is_the_same_as_from_path_to_path(whole, store, tmp_path):
    upload(store, whole / "in", "memory://hospital/in")
    settings = Settings("memory://hospital/in", keys=whole / "keys.json")
    outcome = convert_anywhere(settings, "memory://sets/a", Means(workers=2))
    assert outcome.images == COUNT + 2
    found = download(store, "memory://sets/a")
    rows = csv.DictReader(io.StringIO(found["rejected.csv"].decode()))
    assert {row["file"]: row["code"] for row in rows} == REJECTED
    same(found, whole / "out")
    assert list((tmp_path / "state" / "crepitus").iterdir()) == [], "no secret stays behind"
    again = convert_anywhere(settings, "memory://sets/a", Means())
    assert "nothing was done" in again.warnings[0]


def test_interrupted_it_goes_on(whole, store, tmp_path):
    upload(store, whole / "in", "memory://hospital/in")
    settings = Settings("memory://hospital/in", keys=whole / "keys.json")

    def interrupt(progress):
        if progress.files == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_anywhere(settings, "memory://sets/a", Means(), watch=interrupt)
    before = download(store, "memory://sets/a")
    assert not any(name.endswith((".json", ".parquet")) for name in before)
    assert not any("salt" in name or "journal" in name for name in before)
    # A file that has vanished from the store is made again.
    store.rm_file(f"/sets/a/{min(before)}")
    outcome = convert_anywhere(settings, "memory://sets/a", Means())
    assert outcome.progress.resumed >= 1
    same(download(store, "memory://sets/a"), whole / "out")


def test_a_single_archive_and_a_path_as_output(whole, store, tmp_path):
    store.pipe_file("/in/disc.zip", (whole / "in" / "disc.zip").read_bytes())
    outcome = convert_anywhere(Settings("memory://in/disc.zip"), str(tmp_path / "out"), Means())
    assert (outcome.images, [row[0] for row in outcome.rejected]) == (2, ["disc.zip/../out"])
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2


def test_a_store_that_fails_ends_the_command_and_rejects_nothing(whole, store, tmp_path, monkeypatch):
    upload(store, whole / "in", "memory://hospital/in")
    calls = []

    def get_file(self, path, target, **options):
        calls.append(path)
        raise OSError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "get_file", get_file)
        with pytest.raises(StorageError, match=r"connection reset; .* goes on where it stopped"):
            convert_anywhere(Settings("memory://hospital/in"), str(tmp_path / "out"), Means())
    assert max(calls.count(path) for path in calls) == 2, "every read was tried again once"
    assert not (tmp_path / "out" / "rejected.csv").exists()
    outcome = convert_anywhere(Settings("memory://hospital/in"), str(tmp_path / "out"), Means())
    assert outcome.images == COUNT + 2


def test_a_store_that_cannot_be_written_is_an_error_of_the_output(whole, store, monkeypatch):
    def put_file(self, source, path, **options):
        raise PermissionError("read only")

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)
    with pytest.raises(OutputError, match="read only"):
        convert_anywhere(Settings(whole / "key"), "memory://sets/a", Means())


def test_a_file_that_has_gone_is_set_aside(whole, store, monkeypatch):
    upload(store, whole / "key", "memory://in")
    monkeypatch.setattr(
        MemoryFileSystem, "get_file", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError())
    )
    outcome = convert_anywhere(Settings("memory://in"), "memory://sets/a", Means())
    assert [(row[0], row[1]) for row in outcome.rejected] == [("a", "damaged")]


def test_wrong_places_are_refused(whole, store):
    with pytest.raises(UsageError, match="there is none"):
        convert_anywhere(Settings("memory://nothing"), "memory://sets/a", Means())
    store.pipe_file("/in/a", b"x")
    with pytest.raises(UsageError, match="outside SOURCE"):
        convert_anywhere(Settings("memory://in"), "memory://in/out", Means())
    store.pipe_file("/full/a", b"x")
    with pytest.raises(UsageError, match="new or empty"):
        convert_anywhere(Settings("memory://in"), "memory://full", Means())
    with pytest.raises(CrepitusError, match="nonsense"):
        convert_anywhere(Settings("nonsense://in"), "memory://sets/a", Means())


def test_which_texts_are_urls(tmp_path):
    assert place_of("s3://bucket/a/") == Remote("s3://bucket/a")
    assert place_of("file:///data/a%20b").as_posix() == "/data/a b"
    for text in ("a", "/a", "a:b", "C:/a", "a/s3://b"):
        assert place_of(text) == Path(text)


def test_command_line_takes_urls(whole, store, capsys):
    upload(store, whole / "key", "memory://in")
    with pytest.raises(SystemExit) as end:
        main(["convert", "memory://in", "--out", "memory://sets/a", "--workers", "1", "--json"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["images"] == 1
    assert "/sets/a/dataset.json" in store.find("/sets/a")
