"""The forms of a decision, and the editor of a version's files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

from django import forms
from django.utils import timezone

from donna_skills import shortening
from donna_skills.errors import FieldError
from lifecycle.decisions import hiddentext

LONGEST_WORDS = 4_000
FILE = "file:"
"""Before each path in the editor, so that no file collides with the form's own fields."""
DROP = "drop:"
LARGEST_FORM = 120_000
"""Bytes of the page for the texts in one editor; what is larger is carried along, and changed in a package."""
MOST_HIDDEN = 8


class _Words(forms.CharField):
    def __init__(self, *, label: str, required: bool = True, help_text: str = "") -> None:
        rows = forms.Textarea(attrs={"rows": 3})
        super().__init__(
            label=label, required=required, max_length=LONGEST_WORDS, widget=rows, help_text=help_text, strip=True
        )
        self.error_messages["required"] = "Say why."


class DecisionForm(forms.Form):
    """Whatever is decided is bound to what was shown."""

    seen_digest = forms.CharField(max_length=200, widget=forms.HiddenInput)


class ApproveForm(DecisionForm):
    comment = _Words(label="Comment", required=False)
    keep_gate = forms.BooleanField(
        required=False,
        label="Ask me again before each promotion",
        help_text="Otherwise later promotions may follow from the gates alone.",
    )


class RejectForm(DecisionForm):
    reason = _Words(label="Reason", help_text="The next draft learns from it.")


class ChangesForm(DecisionForm):
    comment = _Words(label="What should change", help_text="The author sees it, and a new version asks again.")


class BreakGlassForm(DecisionForm):
    reason = _Words(
        label="Why it cannot wait",
        help_text="All reviewers are told at once, and a follow-up review asks whether it was right.",
    )


class SetAsideForm(forms.Form):
    until = forms.DateField(
        label="Until", widget=forms.DateInput(attrs={"type": "date"}), error_messages={"invalid": "This is no date."}
    )
    comment = _Words(label="Comment", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tomorrow = timezone.now().astimezone(UTC).date() + timedelta(days=1)
        self.fields["until"].widget.attrs["min"] = tomorrow.isoformat()

    def moment(self) -> datetime:
        """The beginning of that day, UTC."""
        return datetime.combine(self.cleaned_data["until"], time(), UTC)


FORMS: dict[str, type[forms.Form]] = {
    "approve": ApproveForm,
    "reject": RejectForm,
    "changes": ChangesForm,
    "aside": SetAsideForm,
    "glass": BreakGlassForm,
}


def made(name: str, *, seen_digest: str, data: Mapping[str, Any] | None = None, words: str = "") -> forms.Form:
    """One of the forms, empty or as it was sent; `words` is what somebody typed before they were logged out."""
    form = FORMS[name]
    longest = next((key for key in ("reason", "comment") if key in form.base_fields), "comment")
    return form(data, initial={"seen_digest": seen_digest, longest: words}, auto_id=f"{name}-%s")


def editor(
    files: Mapping[str, bytes], *, before: Mapping[str, bytes] | None = None, errors: tuple[FieldError, ...] = ()
) -> list[dict[str, Any]]:
    """One field for each file: its text, or None where it is carried along as it is.

    `before` is what the form was made of, where it comes back with errors: what stood in a field still does, however
    long it has become.
    """
    was = files if before is None else before
    fields = _editable(was)
    texts = {path: _text(content) for path, content in files.items() if path in fields or path not in was}
    found = []
    for number, (path, content) in enumerate(sorted(files.items())):
        text = texts.get(path)
        found.append(
            {
                "id": f"file-{number}",
                "path": path,
                "name": f"{FILE}{path}",
                "drop": f"{DROP}{path}",
                "text": text,
                "bytes": len(content),
                "rows": min(30, max(4, (text or "").count("\n") + 2)),
                "hidden": list(islice(hiddentext.hidden(text or ""), MOST_HIDDEN)),
                "errors": [error for error in errors if error.path == path],
            }
        )
    return found


def edited(files: Mapping[str, bytes], data: Mapping[str, str]) -> dict[str, bytes]:
    """The files as the editor sent them; what has no field there is carried along.

    A browser sends line ends as CR LF: a file keeps the ones that it has, and one that nobody changed keeps every byte.
    """
    sent = {name.removeprefix(FILE): text for name, text in data.items() if name.startswith(FILE)}
    if path := data.get("new_path", "").strip():
        sent[path] = data.get("new_text", "")
    texts = _editable(files)
    carried = {path: content for path, content in files.items() if path not in texts}
    written = {path: _written(text, before=files.get(path, b"")) for path, text in sent.items()}
    return {path: content for path, content in {**carried, **written}.items() if not data.get(f"{DROP}{path}")}


def _editable(files: Mapping[str, bytes]) -> dict[str, str]:
    """The texts that fit into one form, by path; the small ones first."""
    left, found = LARGEST_FORM, {}
    for path, content in sorted(files.items(), key=lambda file: (len(file[1]), file[0])):
        text = _text(content) if len(content) <= left else None
        takes = shortening.weight(text, most=left) if text is not None else 0
        if text is not None and takes <= left:
            left -= takes
            found[path] = text
    return found


def _written(sent: str, *, before: bytes) -> bytes:
    text = _text(before)
    plain = _plain(sent)
    if text is not None and plain == _plain(text):
        return before
    ends = "\r\n" if b"\r\n" in before else "\n"
    return plain.replace("\n", ends).encode("utf-8", "surrogatepass")


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
