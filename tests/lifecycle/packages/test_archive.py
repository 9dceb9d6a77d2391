"""Zips and folders: what goes out comes back, and a hostile zip is refused before it does harm."""

from __future__ import annotations

import io
import stat
import struct
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.packages import archive
from lifecycle.packages.digest import digest
from lifecycle.packages.layout import check
from lifecycle.packages.model import PackageInvalid
from tests.lifecycle.packages.samples import codes, files

segments = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1, max_size=6
)
paths = st.lists(segments, min_size=1, max_size=3).map("/".join)
file_sets = st.dictionaries(paths, st.binary(max_size=200), max_size=5).map(lambda some: {**some, **files()})


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as out:
        for name, content in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename = name  # not through the constructor, which would clean the name
            entry.compress_type = method
            entry.external_attr = mode << 16
            out.writestr(entry, content)
    return buffer.getvalue()


def refused(data: bytes) -> list[str]:
    started = time.process_time()
    with pytest.raises(PackageInvalid) as caught:
        archive.from_zip(data)
    assert time.process_time() - started < 1
    return codes(caught.value.findings)


@given(file_sets.filter(lambda some: not check(some)))
def test_a_zip_comes_back_as_the_same_files_and_is_made_the_same_twice(some):
    data = archive.to_zip(some)
    assert archive.from_zip(data) == some
    assert digest(archive.from_zip(data)) == digest(some)
    assert archive.to_zip(dict(reversed(some.items()))) == data


def test_a_folder_comes_back_as_the_same_files(tmp_path):
    some = {**files(), "assets/deep/er/logo.png": b"\x89\x00\xff", ".hidden": b"x", "references/über.md": b"y"}
    archive.write_folder(some, tmp_path / "new" / "package")
    assert archive.read_folder(tmp_path / "new" / "package") == some


def test_a_zip_with_one_folder_around_the_package_is_unwrapped():
    wrapped = zipped(*((f"greet-main/{path}", content) for path, content in files().items()), ("greet-main/", b""))
    assert archive.from_zip(wrapped) == files()


def test_a_folder_that_belongs_to_the_package_is_not_taken_away():
    assert archive.from_zip(zipped(("steps/a.md", b"x"))) == {"steps/a.md": b"x"}


def test_what_a_mac_adds_to_a_zip_is_left_out():
    entries = [*files().items(), ("__MACOSX/._SKILL.md", b"\x00"), ("steps/.DS_Store", b"\x00")]
    assert archive.from_zip(zipped(*entries)) == files()


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", b"PK\x05\x06" + b"\xff" * 18, b"\x00" * 1000])
def test_what_is_no_zip_is_refused(data):
    assert refused(data) == ["zip_unreadable"]


@given(st.integers(0, 5000), st.integers(0, 255))
def test_a_damaged_zip_is_read_or_refused_and_nothing_else(position, byte):
    data = bytearray(zipped(*files().items()))
    data[position % len(data)] = byte
    try:
        assert archive.from_zip(bytes(data))
    except PackageInvalid as error:
        assert error.findings


@given(st.integers(0, 5000))
def test_a_zip_that_is_cut_off_is_refused(length):
    data = zipped(*files().items())
    assert refused(data[: length % len(data)]) == ["zip_unreadable"]


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/passwd", "C:/a", "a\\..\\b", "a//b", "./a", "..", "a\x00b", ".."]
)
def test_a_path_that_leaves_the_package_is_refused(name):
    assert refused(zipped((name, b"x"))) == ["path_invalid"]


def test_a_bomb_of_zeros_is_refused_by_what_comes_out_of_it():
    assert "file_too_large" in refused(zipped(("a.bin", bytes(50_000_000))))
    assert "package_too_large" in refused(zipped(*((f"{n}.bin", bytes(1_000_000)) for n in range(150))))


def test_a_header_that_understates_the_size_does_not_help_a_bomb():
    data = bytearray(zipped(("a.bin", bytes(50_000_000))))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 10)
    assert refused(bytes(data)) == ["zip_unreadable"]


def test_a_header_that_overstates_the_size_takes_no_more_than_is_there():
    data = bytearray(zipped(("a.md", b"x")))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 0xFFFFFFF0)
    assert archive.from_zip(bytes(data)) == {"a.md": b"x"}


def test_a_zip_of_very_many_files_and_one_that_is_too_large_are_refused():
    assert "too_many_files" in refused(zipped(*((f"{n}", b"") for n in range(5000))))
    assert refused(bytes(10_000_000)) == ["package_too_large"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind):
    assert refused(zipped(("a.md", b"/etc/passwd"), mode=kind | 0o777)) == ["not_a_file"]


def test_an_encrypted_file_is_refused():
    data = bytearray(zipped(("a.md", b"x")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", data, data.index(signature) + offset, 1)
    assert refused(bytes(data)) == ["zip_encrypted"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_compress_are_refused_because_they_cannot_be_bounded(method):
    assert refused(zipped(("a.md", b"x" * 1000), method=method)) == ["zip_method"]


def test_an_entry_that_comes_twice_is_refused_also_in_another_case():
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped(("a.md", b"1"), ("a.md", b"2"))
    assert refused(twice) == ["path_duplicate"]
    assert refused(zipped(("a.md", b"1"), ("A.md", b"2"))) == ["path_duplicate"]


def test_files_that_break_the_rules_are_neither_zipped_nor_written(tmp_path):
    for write in (archive.to_zip, lambda some: archive.write_folder(some, tmp_path / "out")):
        with pytest.raises(PackageInvalid):
            write({"../escape.md": b"x"})
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_not_written_into(tmp_path):
    (tmp_path / "old.md").write_text("x")
    with pytest.raises(PackageInvalid) as caught:
        archive.write_folder(files(), tmp_path)
    assert codes(caught.value.findings) == ["folder_not_empty"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.md"]


def test_a_link_in_a_folder_is_refused(tmp_path):
    (tmp_path / "secret").symlink_to("/etc/passwd")
    with pytest.raises(PackageInvalid) as caught:
        archive.read_folder(tmp_path)
    assert codes(caught.value.findings) == ["not_a_file"]


def test_a_folder_that_is_not_there_or_too_large_is_refused(tmp_path):
    with pytest.raises(PackageInvalid) as caught:
        archive.read_folder(tmp_path / "none")
    assert codes(caught.value.findings) == ["folder_missing"]
    (tmp_path / "big.bin").write_bytes(bytes(10_000_000))
    with pytest.raises(PackageInvalid) as caught:
        archive.read_folder(tmp_path)
    assert codes(caught.value.findings) == ["file_too_large"]


def test_what_other_tools_leave_in_a_folder_is_left_out(tmp_path):
    archive.write_folder(files(), tmp_path / "package")
    (tmp_path / "package" / ".DS_Store").write_bytes(b"\x00")
    (tmp_path / "package" / ".git").mkdir()
    (tmp_path / "package" / ".git" / "config").write_text("x")
    assert archive.read_folder(tmp_path / "package") == files()
