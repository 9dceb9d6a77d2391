"""What changed between two versions: lines, words, context, and a bound on the work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions import textdiff
from lifecycle.decisions.textdiff import FileChange, Piece

TEXTS = st.lists(st.sampled_from(["a b c", "a x c", "b", "", "c d\t", "\u202e"]), max_size=12).map("\n".join)


def changed(old: str, new: str) -> FileChange:
    (found,) = textdiff.files({"f": old.encode()}, {"f": new.encode()})
    return found


def test_a_changed_word_stands_out_within_its_line():
    (row,) = changed("Label the text.\n", "Label the long text.\n").rows or ()
    assert row.kind == "changed" and row.old and row.new
    assert [piece for piece in row.new.pieces if piece.changed] == [Piece("long ", True)]
    assert all(not piece.changed for piece in row.old.pieces)


def test_lines_with_little_in_common_are_two_lines():
    (row,) = changed("Label the text.", "Count apples").rows or ()
    assert row.old and row.new
    assert (row.old.pieces, row.new.pieces) == ((Piece("Label the text.", True),), (Piece("Count apples", True),))


def test_unchanged_stretches_are_counted_and_the_neighbours_of_a_change_shown():
    old = "\n".join(f"line {n}" for n in range(30))
    found = changed(old, old.replace("line 15", "other"))
    kinds = [row.kind for row in found.rows or ()]
    assert kinds == ["skipped", "same", "same", "same", "changed", "same", "same", "same", "skipped"]
    assert [row.skipped for row in found.rows or () if row.kind == "skipped"] == [12, 11]
    assert (found.added, found.removed, found.cut) == (1, 1, False)


def test_files_come_and_go_and_what_is_no_text_is_only_told():
    old, new = {"gone": b"x", "same": b"y", "bin": b"\xff"}, {"same": b"y", "new": b"1\n2\n", "bin": b"\xfe\xff"}
    found = {one.path: one for one in textdiff.files(old, new)}
    assert {path: one.kind for path, one in found.items()} == {
        "bin": "changed", "gone": "removed", "new": "added", "same": "same",
    }  # fmt: skip
    assert found["bin"].rows is None and (found["bin"].old_bytes, found["bin"].new_bytes) == (1, 2)
    assert found["same"].rows == () and found["new"].added == 2 and found["gone"].removed == 1


def test_other_separators_than_a_line_feed_stay_in_the_line_where_they_can_be_seen():
    (row,) = changed("", "one\u2028two\rthree").rows or ()
    assert row.new and row.new.pieces[0].text == "one\u2028two\rthree"


@given(TEXTS, TEXTS)
def test_the_rows_hold_every_changed_line_of_both_sides(old: str, new: str):
    found = changed(old, new)
    before = {row.old.number: "".join(p.text for p in row.old.pieces) for row in found.rows or () if row.old}
    after = {row.new.number: "".join(p.text for p in row.new.pieces) for row in found.rows or () if row.new}
    old_lines, new_lines = old.split("\n"), new.split("\n")
    assert all(old_lines[number - 1] == text for number, text in before.items())
    assert all(new_lines[number - 1] == text for number, text in after.items())
    skipped = sum(row.skipped for row in found.rows or ())
    if old != new:
        assert len(after) + skipped == len([*new_lines[:-1], *new_lines[-1:]]) - (new_lines[-1] == "")


def test_texts_made_to_be_slow_are_shown_in_less_detail_and_no_more_rows_than_allowed():
    old = "\n".join(str(n) for n in range(20_000))
    new = "\n".join(str(n) if n % 2 else "z" for n in range(20_000))
    alternating = changed(old, f"q\n{new}\ne")
    assert len(alternating.rows or ()) == textdiff.MOST_ROWS and alternating.cut
    line = " ".join(str(n) for n in range(3_500))
    (row,) = changed(line, "z " + " ".join(str(n if n % 7 else -n) for n in range(3_500))).rows or ()
    assert row.new and row.new.pieces[0].changed
    many = textdiff.files({}, {f"{n}": b"x\n" * 4_000 for n in range(5)})
    assert sum(len(one.rows or ()) for one in many) == textdiff.MOST_ROWS_IN_ALL
    assert all(one.cut and one.added == 4_000 for one in many)
