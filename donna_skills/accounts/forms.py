"""Forms of the profile: they read what was typed, the services decide."""

from __future__ import annotations

from typing import Any

from django import forms

from donna_skills.accounts.models import PERSON_ONLY_SCOPES, Scope, TokenKind


class TokenForm(forms.Form):
    """A token of one's own."""

    name = forms.CharField(label="Name", max_length=100, help_text="What it is for, to tell it from others later.")
    scopes = forms.MultipleChoiceField(
        label="What it may be used for", choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    expires_in_days = forms.IntegerField(
        label="Expires in days",
        min_value=1,
        max_value=3650,
        initial=90,
        required=False,
        help_text="Leave it empty for a token that does not expire.",
    )
    field_order = ("name", "kind", "scopes", "expires_in_days")


class AnyTokenForm(TokenForm):
    """Also for a bot, for those who manage tokens."""

    kind = forms.ChoiceField(
        label="For", choices=[(TokenKind.PERSON, "Me"), (TokenKind.BOT, "A bot that I answer for")]
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == TokenKind.BOT and PERSON_ONLY_SCOPES.intersection(data.get("scopes", [])):
            self.add_error("scopes", "A bot can never decide reviews: leave that to people's tokens.")
        return data


class RotateForm(forms.Form):
    overlap_hours = forms.IntegerField(
        label="Hours that the old token still works", min_value=0, max_value=24 * 30, initial=24
    )
