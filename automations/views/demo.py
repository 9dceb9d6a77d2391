"""The demo's shop, feed and notice board, where settings.DEMO_SITE says that there is a demo. For tools: no log-in."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from automations.demo import site


@require_safe
def page(request: HttpRequest, path: str) -> HttpResponse:
    found = site.page(path, day=timezone.now().date()) if settings.DEMO_SITE else None
    if found is None:
        raise Http404
    return HttpResponse(found.text, content_type=found.content_type)
