"""What is found in folders, archives and by a DICOMDIR, and what is refused without being opened."""

import os
import socket
import stat
import zipfile
from contextlib import chdir

import pydicom
import pytest
from dicom_files import written
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from crepitus.dicom import archive
from crepitus.dicom.archive import read_member
from crepitus.dicom.dicomdir import is_dicomdir, references, resolve
from crepitus.dicom.find import Entry, find_entries, find_references, read_plain, shown
from crepitus.errors import Damaged, SetAside, TooLarge, UnsafeEntry, UsageError


def split(found):
    found = list(found)
    return (
        {e.name: e for e in found if isinstance(e, Entry)},
        {e[0]: e[1] for e in found if not isinstance(e, Entry)},
    )


def test_a_folder_in_a_fixed_order(tmp_path):
    for name in ("b/2", "b/1", "a/x/3", "z", "a/4", ".hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    names = [entry.name for entry in find_entries(tmp_path)]
    assert names == [".hidden", "z", "a/4", "a/x/3", "b/1", "b/2"]
    assert [read_plain(e.path) for e in find_entries(tmp_path)] == [n.encode() for n in names]


def test_empty_folder_and_missing_source(tmp_path):
    assert list(find_entries(tmp_path)) == []
    with pytest.raises(UsageError, match="SOURCE"):
        list(find_entries(tmp_path / "none"))


def test_links_pipes_and_sockets_are_refused_and_the_rest_is_found(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "in" / "good").write_bytes(b"1")
    (tmp_path / "in" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "broken").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "in" / "pipe")
    with socket.socket(socket.AF_UNIX) as server, chdir(tmp_path / "in"):  # names of sockets are short
        server.bind("socket")
        entries, refused = split(find_entries(tmp_path / "in"))
    assert set(entries) == {"good"}
    assert set(refused) == {"out", "loop", "broken", "pipe", "socket"}
    assert {error.code for error in refused.values()} == {"unsafe-entry"}


def test_the_source_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").symlink_to(tmp_path / "real" / "a")
    assert [e.name for e in find_entries(tmp_path / "link")] == ["a"]
    assert [read_plain(e.path) for e in find_entries(tmp_path / "file")] == [b"1"]


def test_a_file_that_becomes_a_link_or_a_pipe_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(SetAside):
        read_plain(str(tmp_path / "link"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeEntry):
        read_plain(str(tmp_path / "pipe"))
    with pytest.raises(Damaged):
        read_plain(str(tmp_path / "none"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_one_row(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "good").write_bytes(b"1")
    entries, refused = split(find_entries(tmp_path))
    (tmp_path / "closed").chmod(0o700)
    assert set(entries) == {"good"}
    assert refused["closed"].code == "damaged"


def test_names_are_shown_safely(tmp_path):
    (tmp_path / os.fsdecode(b"Jos\xe9\n\x1b[31m")).write_bytes(b"1")
    (entry,) = find_entries(tmp_path)
    assert shown(entry.name) == r"Jos\udce9\n\x1b[31m"
    assert read_plain(entry.path) == b"1"
    assert shown("Hüfte/Öl.dcm") == "Hüfte/Öl.dcm"
    assert len(shown("x" * 10_000)) == 400


def test_finding_does_not_list_everything_first(tmp_path):
    for part in range(3):
        (tmp_path / str(part)).mkdir()
        (tmp_path / str(part) / "a").write_bytes(b"1")
    found = find_entries(tmp_path)
    assert next(found).name == "0/a"
    (tmp_path / "2" / "b").write_bytes(b"2")
    assert [e.name for e in found] == ["1/a", "2/a", "2/b"]


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members:
            out.writestr(name, content)
    return path


def test_members_of_an_archive_are_found_and_read(tmp_path):
    zipped(tmp_path / "a.zip", [("s/1.dcm", b"one"), ("s/", b""), ("s/2.dcm", b"two")])
    entries, refused = split(find_entries(tmp_path / "a.zip"))
    assert list(entries) == ["a.zip/s/1.dcm", "a.zip/s/2.dcm"]
    assert [read_member(e.path, e.member) for e in entries.values()] == [b"one", b"two"]
    assert refused == {}
    # Inside a folder, by its ending.
    assert list(split(find_entries(tmp_path))[0]) == list(entries)


def test_members_that_lead_out_are_links_or_encrypted_are_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    names = ["../a", "/etc/passwd", "C:/a", "x/../../a", "..\\a"]
    path = zipped(
        tmp_path / "a.zip", [*((name, b"1") for name in names), (link, b"/etc/passwd"), ("good", b"2")]
    )
    entries, refused = split(find_entries(path))
    assert [e.name for e in entries.values()] == ["a.zip/good"]
    assert len(refused) == 6
    assert {error.code for error in refused.values()} == {"unsafe-entry"}
    content = bytearray(zipped(tmp_path / "b.zip", [("secret", b"1")]).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # general purpose bit 0: encrypted
    (tmp_path / "b.zip").write_bytes(content)
    _, refused = split(find_entries(tmp_path / "b.zip"))
    assert "encrypted" in str(refused["b.zip/secret"])


def test_bombs_are_refused_before_anything_is_inflated(tmp_path, monkeypatch):
    bomb = zipped(tmp_path / "a.zip", [(f"{n}", bytes(1 << 20)) for n in range(3)])
    monkeypatch.setattr(archive, "FREE_BYTES", 1 << 20)
    _, refused = split(find_entries(bomb))
    assert refused["a.zip"].code == "too-large"
    assert "200 times" in str(refused["a.zip"])
    monkeypatch.setattr(archive, "FREE_BYTES", 1 << 30)
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1000)
    assert {e.code for e in split(find_entries(bomb))[1].values()} == {"too-large"}
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    assert "3 members" in str(split(find_entries(bomb))[1]["a.zip"])
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 10)
    assert "directory" in str(split(find_entries(bomb))[1]["a.zip"])


def test_a_member_that_inflates_to_more_than_it_announces_is_damaged(tmp_path):
    content = bytearray(zipped(tmp_path / "a.zip", [("1", bytes(5000))]).read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (100).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    (entry,) = find_entries(tmp_path / "a.zip")
    with pytest.raises(Damaged):
        read_member(entry.path, entry.member)


def test_damaged_archives_are_one_row(tmp_path):
    content = zipped(tmp_path / "a.zip", [(str(n), os.urandom(300)) for n in range(5)]).read_bytes()
    for end in (4, 100, len(content) // 2, len(content) - 5):
        (tmp_path / "a.zip").write_bytes(content[:end])
        entries, refused = split(find_entries(tmp_path / "a.zip"))
        assert entries == {}
        assert refused["a.zip"].code == "damaged"
    flipped = bytearray(content)
    flipped[60] ^= 255
    (tmp_path / "a.zip").write_bytes(flipped)
    (first, *rest) = find_entries(tmp_path / "a.zip")
    with pytest.raises(Damaged):
        read_member(first.path, first.member)
    assert all(len(read_member(e.path, e.member)) == 300 for e in rest)


def test_zip64_directory_size_is_read(tmp_path, monkeypatch):
    # A ZIP64 end record and its locator before an end record that says FFFFFFFF (4.3.14, 4.3.15).
    record = b"PK\x06\x06" + bytes(36) + (1 << 40).to_bytes(8, "little") + bytes(8)
    locator = b"PK\x06\x07" + bytes(4) + (0).to_bytes(8, "little") + bytes(4)
    end = b"PK\x05\x06" + bytes(8) + b"\xff" * 4 + bytes(6)
    (tmp_path / "a.zip").write_bytes(record + locator + end)
    with pytest.raises(TooLarge, match=str(1 << 40)):
        archive.members(tmp_path / "a.zip")


def dicomdir(path, listed):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    records = []
    for parts in listed:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        if parts is not None:
            record.ReferencedFileID = parts
        records.append(record)
    dataset.DirectoryRecordSequence = Sequence(records)
    dataset.preamble = b"\0" * 128
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def test_references_of_a_dicomdir(tmp_path):
    path = dicomdir(tmp_path / "DICOMDIR", [["IMAGES", "IM1"], None, "IM2", ["IMAGES", "IM3"]])
    dataset = pydicom.dcmread(path)
    assert is_dicomdir(dataset)
    assert not is_dicomdir(pydicom.dcmread(written(tmp_path / "x.dcm")))
    assert references(dataset) == [("IMAGES", "IM1"), ("IM2",), ("IMAGES", "IM3")]


def test_references_that_lead_out_or_nowhere_are_refused(tmp_path):
    root = tmp_path / "cd"
    (root / "images").mkdir(parents=True)
    (root / "images" / "im1").write_bytes(b"1")
    (tmp_path / "OUT").write_bytes(b"2")
    (root / "LINK").symlink_to(tmp_path)
    assert resolve(root, ("IMAGES", "IM1")) == root / "images" / "im1"
    entries, refused = split(
        find_references(root, [("IMAGES", "IM1"), ("..", "OUT"), ("LINK", "OUT"), ("/etc", "x"), ("NONE",)])
    )
    assert list(entries) == ["IMAGES/IM1"]
    codes = {name: error.code for name, error in refused.items()}
    assert codes == {
        "../OUT": "unsafe-entry", "LINK/OUT": "unsafe-entry", "/etc/x": "unsafe-entry", "NONE": "damaged",
    }  # fmt: skip
