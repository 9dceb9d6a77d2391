"""Characters that a person does not see and a model reads: where they stand in a text, and which are legitimate.

Bidirectional controls reorder what is shown; invisible characters spell a second text between the letters of the first.
Three uses are writing and no trick, and pass: joiners inside emoji and inside words of scripts that need them, one
variation selector after a symbol or an ideograph, and the tag letters that follow a black flag to make a region's flag.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_BYTE_ORDER_MARK = "\ufeff"
_JOINERS = {"\u200c", "\u200d"}
_SELECTORS = {"\ufe0e", "\ufe0f"}
_BLACK_FLAG, _CANCEL_TAG = "\U0001f3f4", "\U000e007f"
_LONGEST_FLAG = 7
_IDEOGRAPHIC_FIRST, _IDEOGRAPHIC_LAST = "\U000e0100", "\U000e01ef"
# Keycaps, and two signs that Unicode files under letters and dashes.
_SELECTED = frozenset("0123456789#*\u2139\u3030")

# Blank to the eye, and no format characters to Unicode: fillers, selectors, a blank pattern.
_LOOKS_EMPTY = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u2065\ufff0-\ufff8\ufe00-\ufe0f\U000e0000-\U000e0fff"
_VISIBLE_FORMAT = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
_PLAIN = re.compile(r"[\t\n\r\f\x20-\x7e]*+")
_EMPTY = re.compile(f"[{_LOOKS_EMPTY}]")
_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8})+)")
_ONE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})")
_JOINING_SCRIPTS = (
    *("ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU"),
    *("KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN", "NKO", "MANDAIC"),
)


def hidden(text: str) -> Iterator[tuple[int, str]]:
    """(line from 1, name of the character) of everything hidden in the text, in its order."""
    if _PLAIN.fullmatch(text):
        return
    line = 1
    flag_until = -1
    for place, character in enumerate(text):
        if character == "\n":
            line += 1
        elif character == _BLACK_FLAG:
            flag_until = _end_of_flag(text, place)
        elif _is_hidden(character) and place > flag_until and not _is_writing(text, place, character):
            yield line, _name(character)


def unescaped(text: str) -> str:
    """The text with \\uXXXX and \\UXXXXXXXX, as JSON and YAML write them, turned into the characters they stand for.

    An escape of an escape stays what it is. What is no character stays as it is written."""
    if "\\u" not in text and "\\U" not in text:
        return text
    return _ESCAPE.sub(lambda found: found[1] + _characters(found[2]), text)


def _characters(escapes: str) -> str:
    try:
        spelled = "".join(chr(int(short or long, 16)) for short, long in _ONE_ESCAPE.findall(escapes))
        return spelled.encode("utf-16", "surrogatepass").decode("utf-16")
    except (ValueError, UnicodeError, OverflowError):
        return escapes


def _is_hidden(character: str) -> bool:
    if " " <= character <= "~" or character in "\t\r\f":
        return False
    category = unicodedata.category(character)
    if category in ("Cf", "Cc"):
        return character not in _VISIBLE_FORMAT
    return _EMPTY.match(character) is not None


def _is_writing(text: str, place: int, character: str) -> bool:
    before = text[place - 1] if place else ""
    if character == _BYTE_ORDER_MARK:
        return place == 0
    if character in _SELECTORS:
        return before in _SELECTED or (bool(before) and _is_symbol(before))
    if _IDEOGRAPHIC_FIRST <= character <= _IDEOGRAPHIC_LAST:
        return before != "" and unicodedata.name(before, "").startswith("CJK")
    if character in _JOINERS:
        after = text[place + 1] if place + 1 < len(text) else ""
        # Before an emoji's joiner may stand its variation selector.
        first = text[place - 2] if before in _SELECTORS and place > 1 else before
        if character == "\u200d" and first and after and _is_symbol(first) and _is_symbol(after):
            return True
        return _needs_joiners(before) and (_needs_joiners(after) or not _is_hidden(after or " "))
    return False


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sk", "Sm", "Po") and character > "\x7f"


def _needs_joiners(character: str) -> bool:
    return character != "" and unicodedata.name(character, "").startswith(_JOINING_SCRIPTS)


def _end_of_flag(text: str, place: int) -> int:
    """The place of the cancel tag where a region's flag begins at `place`, else -1."""
    end = text.find(_CANCEL_TAG, place + 1, place + 1 + _LONGEST_FLAG)
    between = text[place + 1 : end]
    return end if end > place and all("\U000e0030" <= tag <= "\U000e007a" for tag in between) else -1


def _name(character: str) -> str:
    named = unicodedata.name(character, "a control character")
    return f"U+{ord(character):04X} {named.lower()}"
