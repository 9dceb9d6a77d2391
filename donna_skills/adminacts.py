"""Acts: the buttons of the admin that change something. Each is a small form page, and a service carries it out.

GET shows what will happen, POST lets the service decide. What the service refuses is shown on the same page, with the
row as it is by then: nothing is done half, and nobody is told a state that is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import Conflict, DonnaError

TEMPLATE = "admin/act.html"


class ActForm(forms.Form):
    """A form in the theme's look. Without fields it is a confirmation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for wanted in self.fields.values():
            if not wanted.widget.is_hidden:
                wanted.widget = _dressed(wanted)


@dataclass(frozen=True)
class Done:
    """What happened, in one sentence, and the row whose page comes next (by default the one acted upon)."""

    message: str
    row: models.Model | None = None


def _always(row: Any) -> bool:
    return True


def _nothing(row: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing that a person may do to a row, or, where there is no row yet, a way to make one.

    `label` is a verb with its object, `explain` says beforehand what will happen, `carry_out` calls one service.
    `offered` hides a button that would lead nowhere; whether it may be pressed is the service's business.
    """

    name: str
    label: str
    explain: Callable[[Any], str]
    carry_out: Callable[[Any, Actor, dict[str, Any]], Done]
    permission: Permission
    form: type[ActForm] = ActForm
    offered: Callable[[Any], bool] = _always
    initial: Callable[[Any], dict[str, Any]] = _nothing
    # A template with more about the row, and what it is to be given.
    about: str = ""
    about_context: Callable[[Any], dict[str, Any]] = _nothing
    icon: str = "bolt"
    variant: ActionVariant = ActionVariant.DEFAULT
    # Who may press it where the permission alone does not say it.
    also: Callable[[User, Any], bool] | None = field(default=None)

    def permitted(self, user: Any, row: Any = None) -> bool:
        return may(user, self.permission) or (self.also is not None and self.also(user, row))

    def url_name(self, opts: Any) -> str:
        return f"{opts.app_label}_{opts.model_name}_{self.name}"

    def button(self, opts: Any, row: models.Model) -> dict[str, Any]:
        """As the theme's templates want it. What cannot be undone is red on its own page, where one is asked."""
        variant = ActionVariant.DEFAULT if self.variant == ActionVariant.DANGER else self.variant
        return {
            "title": self.label,
            "icon": self.icon,
            "variant": variant,
            "attrs": {},
            "dialog": None,
            "path": reverse(f"admin:{self.url_name(opts)}", args=[row.pk]),
        }


def page(admin: ModelAdmin, request: HttpRequest, act: Act, object_id: str | None = None) -> HttpResponse:
    """Show an act's form, or carry the act out.

    1. The row must be there, be visible to this person, and the act permitted.
    2. A valid form goes to the service; what it did is the message on the row's own page.
    3. A refusal comes back with the service's own status, sentence and field errors.
    """
    row = _row(admin, request, object_id)
    if not admin.has_view_permission(request, row) or not act.permitted(request.user, row):
        raise PermissionDenied
    if request.method != "POST":
        return _shown(admin, request, act, row, act.form(initial=act.initial(row)))
    form = act.form(request.POST)
    if not form.is_valid():
        return _shown(admin, request, act, row, form, status=422)
    try:
        done = act.carry_out(row, Actor.person(_person(request)), form.cleaned_data)
    except DonnaError as error:
        return _refused(admin, request, act, object_id, form, error)
    admin.message_user(request, done.message, messages.SUCCESS)
    return HttpResponseRedirect(_address(admin, done.row or row))


def _row(admin: ModelAdmin, request: HttpRequest, object_id: str | None) -> Any:
    if object_id is None:
        return None
    row = admin.get_object(request, unquote(object_id))
    if row is None:
        raise Http404(f"There is no such {admin.opts.verbose_name}.")
    return row


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else this far
    return request.user


def _refused(
    admin: ModelAdmin, request: HttpRequest, act: Act, object_id: str | None, form: ActForm, error: DonnaError
) -> HttpResponse:
    """The form again: with its errors, or after a conflict as a new one over the row as it is now."""
    row = _row(admin, request, object_id)
    if isinstance(error, Conflict):
        form = act.form(initial={**form.cleaned_data, **act.initial(row)})
        return _shown(admin, request, act, row, form, status=error.status, refusal=error.message)
    for found in error.errors:
        form.add_error(found.path if found.path in form.fields else None, found.message)
    return _shown(admin, request, act, row, form, status=error.status, refusal=error.message)


def _shown(
    admin: ModelAdmin, request: HttpRequest, act: Act, row: Any, form: ActForm, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    context = {
        **admin.admin_site.each_context(request),
        "title": act.label,
        "subtitle": str(row) if row else None,
        "opts": admin.opts,
        "original": row,
        "act": act,
        "open": row is None or act.offered(row),
        "danger": act.variant == ActionVariant.DANGER,
        "explanation": act.explain(row),
        "form": form,
        "refusal": refusal,
        "back": _address(admin, row),
        **(act.about_context(row) if act.about else {}),
    }
    return TemplateResponse(request, TEMPLATE, context, status=status)


def _address(admin: ModelAdmin, row: models.Model | None) -> str:
    opts = admin.opts
    if row is None:
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])


def _dressed(wanted: forms.Field) -> forms.Widget:
    """The theme's widget for a field, with what the plain one was told."""
    plain = wanted.widget
    dressed: forms.Widget
    if isinstance(plain, forms.CheckboxSelectMultiple):
        dressed = UnfoldAdminCheckboxSelectMultipleWidget(choices=plain.choices)
    elif isinstance(plain, forms.Select):
        dressed = UnfoldAdminSelectWidget(attrs=plain.attrs, choices=plain.choices)
    elif isinstance(plain, forms.CheckboxInput):
        dressed = UnfoldBooleanWidget(attrs=plain.attrs)
    elif isinstance(plain, forms.Textarea):
        dressed = UnfoldAdminTextareaWidget(attrs=plain.attrs)
    elif isinstance(plain, forms.NumberInput):
        dressed = UnfoldAdminIntegerFieldWidget(attrs=plain.attrs)
    else:
        dressed = UnfoldAdminTextInputWidget(attrs={**plain.attrs, "type": plain.input_type})
    dressed.is_required = wanted.required
    return dressed
