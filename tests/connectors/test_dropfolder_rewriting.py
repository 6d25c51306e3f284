"""Personal data leaves archived files, and nothing else in them changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.dropfolder import rewrite_texts


def without_ada(text: str) -> str:
    return text.replace("Zoë Ada", "(erased)")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_file_keeps_its_encoding_its_line_ends_and_its_name(
    tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "orders" / "day.0123.csv"
    file.parent.mkdir()
    file.write_bytes("1;Zoë Ada;Köln\r\n2;Bob;Köln\n".encode(encoding))
    assert rewrite_texts([tmp_path], "cp1252", without_ada) == 1
    assert file.read_bytes() == "1;(erased);Köln\r\n2;Bob;Köln\n".encode(encoding)
    assert rewrite_texts([tmp_path], "cp1252", without_ada) == 0, "written only where it differs"


def test_bytes_of_no_encoding_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "orders" / "scan.bin"
    file.parent.mkdir()
    file.write_bytes(bytes(range(256)))
    assert rewrite_texts([tmp_path], "utf-8-sig", without_ada) == 0
    assert file.read_bytes() == bytes(range(256))


def test_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("Zoë Ada", encoding="utf-8")
    folder = tmp_path / "archive" / "orders"
    folder.mkdir(parents=True)
    (folder / "link.csv").symlink_to(outside)
    assert rewrite_texts([tmp_path / "archive"], "utf-8", without_ada) == 0
    assert outside.read_text(encoding="utf-8") == "Zoë Ada"
