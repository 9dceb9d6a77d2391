"""People, their roles, tokens and remembered answers in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from donna_skills.accounts import people, tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import ApiToken, IdempotencyRecord, IdempotencyStatus, Scope, TokenKind, User
from donna_skills.accounts.roles import Permission, may
from donna_skills.adminacts import Act, ActForm, Done
from donna_skills.adminbase import Listing, WindowAdmin, badge, block


@admin.register(User)
class PersonAdmin(Listing, UserAdmin):
    """People are added and changed here, never deleted: decisions name who took them."""

    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "roles", "is_staff", "is_active", "last_login")
    list_filter = ("groups", "is_staff", "is_active", "is_superuser")
    search_fields = ("username", "first_name", "last_name", "email")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "groups", "is_superuser", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2", "is_staff", "groups")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ("user_permissions",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
            kwargs["help_text"] = "What each role may do stands in its permissions."
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """What makes somebody more than any role is a superuser's to give."""
        beyond_roles = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*self.readonly_fields, *beyond_roles)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and may(request.user, Permission.MANAGE_TOKENS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj) and may(request.user, Permission.MANAGE_TOKENS)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        people.record_saved(obj, created=True, changes=message, by=_by(request))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        people.record_saved(obj, created=False, changes=message, by=_by(request))
        return super().log_change(request, obj, message)

    @admin.display(description="name")
    def full_name(self, person: User) -> str:
        return person.get_full_name()

    @admin.display(description="roles")
    def roles(self, person: User) -> str:
        return ", ".join(sorted(group.name for group in person.groups.all()))


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(Listing, GroupAdmin):
    """Each role of the application is a group. What it grants may be changed, by those who hold Django's permission."""

    list_display = ("name",)
    ordering = ("name",)
    readonly_fields = ("name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False

    def log_change(self, request: HttpRequest, obj: Group, message: Any) -> Any:
        people.record_role_changed(obj, by=_by(request))
        return super().log_change(request, obj, message)


class TokenForm(ActForm):
    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=TokenKind.choices, initial=TokenKind.BOT)
    owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"), help_text="Who answers for it."
    )
    person = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        required=False,
        help_text="Whose token it is; leave it empty for a bot's.",
    )
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)
    expires_in_days = forms.IntegerField(
        min_value=1, max_value=3650, required=False, help_text="Leave it empty for a token that does not expire."
    )


class RotateForm(ActForm):
    overlap_hours = forms.IntegerField(
        min_value=0, max_value=24 * 30, initial=24, help_text="How long the old token still opens the door."
    )


def _create(row: None, by: Actor, data: dict[str, Any]) -> Done:
    days = data.pop("expires_in_days")
    expires_at = timezone.now() + timedelta(days=days) if days else None
    token, raw = tokens.create(expires_at=expires_at, by=by, **data)
    return Done(_once(token, raw), row=token)


def _rotate(token: ApiToken, by: Actor, data: dict[str, Any]) -> Done:
    successor, raw = tokens.rotate(token, by=by, overlap=timedelta(hours=data["overlap_hours"]))
    return Done(_once(successor, raw), row=successor)


def _revoke(token: ApiToken, by: Actor, data: dict[str, Any]) -> Done:
    tokens.revoke(token, by=by)
    return Done(f"The token {token} is revoked.")


def _once(token: ApiToken, raw: str) -> SafeString:
    words = "Copy the token now, it is not shown again:"
    return format_html('{} is there. {} <code class="secret">{}</code>', token.name, words, raw)


@admin.register(ApiToken)
class ApiTokenAdmin(WindowAdmin):
    list_display = ("name", "prefix", "kind", "owner", "opens", "last_used_at", "expires_at", "created_at")
    list_filter = ("kind",)
    list_select_related = ("owner", "person")
    search_fields = ("name", "prefix", "owner__username")
    search_help_text = "Name, prefix or owner"
    audit_subject = "token"
    fieldsets = (
        (None, {"fields": ("id", "name", "prefix", "kind", "opens", "scopes")}),
        ("Who", {"fields": ("owner", "person", "created_by")}),
        (
            "When",
            {"fields": ("created_at", "last_used_at", "expires_at", "revoked_at", "replaced_by", "overlap_until")},
        ),
    )
    adds = Act(
        name="add",
        label="Add token",
        explain=lambda row: "The token is shown once, on the next page. A bot can never decide reviews.",
        carry_out=_create,
        permission=Permission.MANAGE_TOKENS,
        form=TokenForm,
    )
    acts = (
        Act(
            name="rotate",
            label="Rotate token",
            explain=lambda token: (
                f"A new token takes the place of {token}; the old one works until the overlap is over."
            ),
            carry_out=_rotate,
            permission=Permission.MANAGE_TOKENS,
            form=RotateForm,
            offered=lambda token: token.is_live(timezone.now()) and token.replaced_by_id is None,
            icon="autorenew",
        ),
        Act(
            name="revoke",
            label="Revoke token",
            explain=lambda token: f"Whoever uses {token} is shut out at once, and for good.",
            carry_out=_revoke,
            permission=Permission.MANAGE_TOKENS,
            offered=lambda token: token.revoked_at is None,
            icon="block",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="opens the door", boolean=True)
    def opens(self, token: ApiToken) -> bool:
        return token.is_live(timezone.now())


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(WindowAdmin):
    list_display = ("key", "target", "token", "status_badge", "response_status", "created_at")
    list_filter = ("status",)
    list_select_related = ("token",)
    search_fields = ("key", "target", "token__name")
    search_help_text = "Key, path or token"
    fields = (
        "id", "token", "key", "target", "body_digest", "status_badge", "created_at", "response_status",
        "response_headers", "answer",
    )  # fmt: skip

    @admin.display(description="status", ordering="status")
    def status_badge(self, record: IdempotencyRecord) -> SafeString:
        tones: dict[str, str] = {IdempotencyStatus.RUNNING: "blue", IdempotencyStatus.DONE: "green"}
        return badge(record.status, record.get_status_display(), tones)

    @admin.display(description="answer")
    def answer(self, record: IdempotencyRecord) -> SafeString | str:
        return block(bytes(record.response_body or b"").decode("utf-8", "backslashreplace"))


def _by(request: HttpRequest) -> Actor:
    assert isinstance(request.user, User)  # the admin lets nobody else this far
    return Actor.person(request.user)
