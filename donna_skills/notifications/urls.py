"""The pages of the inbox and of channels."""

from __future__ import annotations

from django.urls import path

from donna_skills.notifications.views import channels, inbox

urlpatterns = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/read/", inbox.mark_all_read, name="mark_all_read"),
    path("inbox/preferences/", inbox.preferences, name="preferences"),
    path("inbox/<uuid:notification_id>/read/", inbox.mark_read, name="mark_read"),
    path("inbox/<uuid:notification_id>/open/", inbox.open_notification, name="open_notification"),
    path("inbox/channels/", channels.channel_list, name="channel_list"),
    path("inbox/channels/new/", channels.create_channel, name="create_channel"),
    path("inbox/channels/<uuid:channel_id>/newest/", channels.newest_delivery, name="newest_delivery"),
    path("inbox/channels/<uuid:channel_id>/<slug:act>/", channels.change_channel, name="change_channel"),
    path("inbox/deliveries/<uuid:delivery_id>/redeliver/", channels.redeliver, name="redeliver"),
]
