"""The form with which authors improve a capability's words."""

from __future__ import annotations

from django import forms

from lifecycle.models import Capability


class DescribeForm(forms.Form):
    """Name, schemas and tools are no fields: they are the contract that callers rely on."""

    description = forms.CharField(label="Description", max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))
    examples = forms.CharField(
        label="Phrases that ask for it",
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="One a line. They help to find the right capability for a text.",
    )

    @classmethod
    def of(cls, capability: Capability) -> DescribeForm:
        phrases = "\n".join(map(str, capability.examples))
        return cls(initial={"description": capability.description, "examples": phrases})

    def clean_examples(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["examples"].splitlines() if line.strip()]
