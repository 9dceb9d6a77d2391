"""The pages about decisions say what the code does: worked numbers are run, codes are looked up."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from lifecycle.decisions.safety import OWASP

ROOT = Path(__file__).resolve().parents[3]
_CODE = re.compile(r"\"((?:STATIC|SAFETY|DRY_RUN|FIXTURES|REPLAY|BASELINE|LEAK|TARGETED|RECENT)_[A-Z_]+|SIZE_LIMIT)\"")


def test_every_worked_number_of_the_page_is_what_the_code_gives() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "statistics.md"), module_relative=False, encoding="utf-8")
    assert found.attempted > 20
    assert found.failed == 0


def test_every_code_of_a_gate_is_on_its_page() -> None:
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    codes = {
        code
        for path in (ROOT / "lifecycle" / "decisions").glob("*.py")
        for code in _CODE.findall(path.read_text(encoding="utf-8"))
    }
    assert len(codes) > 20
    assert sorted(code for code in codes if code not in page) == []


def test_the_page_maps_codes_to_risks_as_the_scan_does() -> None:
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    for code, risk in OWASP.items():
        assert re.search(rf"^\| {re.escape(risk)} \|.*\b{code}\b", page, re.MULTILINE), code
