"""What every page of the admin stands on. The admin is a window: rows are looked at, and what changes them is an act
(see adminacts.py) that a service carries out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from picklefield import PickledObjectField
from unfold.admin import ModelAdmin, TabularInline

from donna_skills import adminacts
from donna_skills.accounts.roles import Permission, may
from donna_skills.adminacts import Act
from donna_skills.templatetags import ui

HEAVY = (models.JSONField, models.TextField, models.BinaryField, PickledObjectField)
"""Columns that may be large: a list leaves them in the database unless it shows them."""
LONGEST_TEXT = 100_000
LONGEST_CELL = 80


class CappedPaginator(Paginator):
    """Pages of a table that may have a million rows: nobody needs to know whether there are more than this many."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return int(rows.order_by()[: self.MOST].count())


class Listing(ModelAdmin):
    """Lists that cost the same whatever they list, and values shown as everywhere else in the application."""

    actions: Any = None
    ordering: ClassVar[Any] = ("-id",)
    paginator: Any = CappedPaginator
    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    empty_value_display = ui.NOTHING
    # Besides the primary key: indexed columns that an id typed into the search box is looked up in.
    search_ids: Sequence[str] = ()
    # Large columns that a list needs though it does not show them as they are.
    list_needs: Sequence[str] = ()

    def __init__(self, model: type[models.Model], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        self._columns = {f.name: f for f in model._meta.concrete_fields}
        self._own_look = {name for name, column in self._columns.items() if _has_own_look(column)}
        for name in self._own_look:
            setattr(self, f"listed_{name}", _cell(self._columns[name]))
            setattr(self, f"shown_{name}", _value(self._columns[name]))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request)
        match = request.resolver_match
        if match and str(match.url_name).endswith("_changelist"):
            found = found.defer(*self._unlisted())
        return found

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._look("listed", name) for name in super().get_list_display(request)]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        """An id finds its row by an index; anything else is looked for in `search_fields`."""
        term = search_term.strip()
        try:
            wanted = UUID(term)
        except ValueError:
            # PostgreSQL refuses the character that ends C's strings.
            return super().get_search_results(request, queryset, term.replace("\x00", ""))
        fields = [self.opts.pk.name, *self.search_ids] if self._has_uuid else self.search_ids
        matches = Q()
        for name in fields:
            matches |= Q(**{name: wanted})
        return (queryset.filter(matches) if fields else queryset.none()), False

    @property
    def _has_uuid(self) -> bool:
        return isinstance(self.opts.pk, models.UUIDField)

    def _look(self, where: str, name: Any) -> Any:
        """The name of our own display of a column, where it has one."""
        return f"{where}_{name}" if name in self._own_look else name

    def _unlisted(self) -> Iterator[str]:
        listed = {*self.list_display, *self.list_needs}
        yield from (name for name, column in self._columns.items() if isinstance(column, HEAVY) and name not in listed)
        for joined in self.list_select_related or ():
            other = self.model
            for step in joined.split("__"):
                other = other._meta.get_field(step).related_model
            yield from (f"{joined}__{f.name}" for f in other._meta.concrete_fields if isinstance(f, HEAVY))


class WindowAdmin(Listing):
    """Look, search, filter, follow links, press the buttons that `acts` offers; nothing can be edited here."""

    acts: Sequence[Act] = ()
    # The act that makes a row, where people may make one here at all.
    adds: Act | None = None
    # What else there is about a row: (words, "app.model", the column there that holds this row's id).
    see_also: Sequence[tuple[str, str, str]] = ()
    # What the audit log calls these rows.
    audit_subject = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.adds is not None and self.has_view_permission(request) and self.adds.permitted(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(self.fields or [name for name, f in self._columns.items() if not isinstance(f, models.BinaryField)])

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        sets = [
            (title, {**options, "fields": [self._shown(name) for name in options["fields"]]})
            for title, options in super().get_fieldsets(request, obj)
        ]
        if self.see_also and obj is not None:
            sets[0][1]["fields"].append("elsewhere")
        return sets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        helps = {f"shown_{name}": f.help_text for name, f in self._columns.items() if f.help_text}
        return super().get_form(request, obj, change, **{"help_texts": helps, **kwargs})

    def get_urls(self) -> list[URLPattern]:
        return [*(self._act_url(act) for act in self.acts), *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if self.adds is None:
            raise PermissionDenied
        return adminacts.page(self, request, self.adds)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What happened to a row stands in the audit log, whoever did it and through whichever door."""
        if not may(request.user, Permission.VIEW_AUDIT):
            raise PermissionDenied("The audit log is for those who may read it.")
        subject = {
            "subject_type__exact": self.audit_subject or self.opts.model_name,
            "subject_id__exact": object_id,
        }
        return HttpResponseRedirect(f"{reverse('admin:audit_auditevent_changelist')}?{urlencode(subject)}")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row is not None:
            offered = [act for act in self.acts if act.offered(row) and act.permitted(request.user, row)]
            context["actions_detail"] = [act.button(self.opts, row) for act in offered]
        context["show_history"] = may(request.user, Permission.VIEW_AUDIT)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="See also")
    def elsewhere(self, row: models.Model) -> SafeString:
        links = []
        for words, label, column in self.see_also:
            opts = apps.get_model(label)._meta
            address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
            links.append((f"{address}?{urlencode({f'{column}__exact': row.pk})}", words))
        return format_html_join(" · ", '<a class="text-link" href="{}">{}</a>', links)

    def _shown(self, name: Any) -> Any:
        return tuple(self._shown(one) for one in name) if isinstance(name, list | tuple) else self._look("shown", name)

    def _act_url(self, act: Act) -> URLPattern:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return adminacts.page(self, request, act, object_id)

        address = f"<path:object_id>/{act.name}/"
        return path(address, self.admin_site.admin_view(view), name=act.url_name(self.opts))


class WindowInline(TabularInline):
    """A few rows that belong to the one on the page."""

    extra = 0
    can_delete = False
    show_change_link = True
    per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def block(value: Any) -> SafeString | str:
    """JSON or text that somebody else wrote, to read: escaped, hidden characters spelt out, cut where it is endless."""
    if value is None or value == "":
        return ui.NOTHING
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    cut = len(text) - LONGEST_TEXT
    shown = ui.reveal(text[:LONGEST_TEXT])
    more = f"\n… and {cut:,} more characters" if cut > 0 else ""
    return format_html('<pre class="text-block" tabindex="0">{}{}</pre>', shown, more)


def _has_own_look(column: models.Field) -> bool:
    if isinstance(column, models.BinaryField):
        return False
    if isinstance(column, models.CharField):
        return not column.choices
    own = (*HEAVY, models.BooleanField, models.DateTimeField, models.UUIDField)
    return not column.is_relation and (isinstance(column, own) or column.name.endswith(("_usd", "_ms")))


def _cell(column: models.Field) -> Callable[[Any], Any]:
    """A column of a list: short, times relative."""

    @admin.display(description=_label(column), ordering=column.name)
    def cell(row: models.Model) -> Any:
        value = getattr(row, column.name)
        if isinstance(column, models.DateTimeField):
            return ui.ago(value)
        if isinstance(column, models.UUIDField) and value:
            return format_html('<span class="short-id" title="{}">{}</span>', value, ui.short_id(value))
        if isinstance(value, str) and value:
            return ui.reveal(Truncator(" ".join(value.split())).chars(LONGEST_CELL))
        return _plain(column, value)

    return cell


def _value(column: models.Field) -> Callable[[Any], Any]:
    """A line of a row's own page: whole, times exact."""

    @admin.display(description=_label(column))
    def value_of(row: models.Model) -> Any:
        value = getattr(row, column.name)
        if isinstance(column, models.DateTimeField) and value is not None:
            return format_html("{} ({})", f"{value:%Y-%m-%d %H:%M:%S} UTC", ui.ago(value))
        if isinstance(column, PickledObjectField):
            return block(value if value is None or isinstance(value, str) else repr(value))
        if isinstance(column, HEAVY):
            return block(value)
        if isinstance(value, str) and value:
            return ui.reveal(value)
        return _plain(column, value)

    return value_of


def _label(column: models.Field) -> str:
    """The unit stands with the number, not in its name."""
    return str(column.verbose_name).removesuffix(" usd").removesuffix(" ms")


def _plain(column: models.Field, value: Any) -> Any:
    if value is None or value == "":
        return ui.NOTHING
    if isinstance(column, models.BooleanField):
        return "yes" if value else "no"
    if column.name.endswith("_usd"):
        return ui.money(value)
    if column.name.endswith("_ms"):
        return ui.duration(value)
    return value


def badge(value: str, label: str, tones: dict[str, str]) -> SafeString:
    """A status as a word in a colour with a shape, as on our own pages."""
    return ui.badge(label, tones.get(value, "grey"), title=value)
