"""Addresses of what follows: the message log."""

from django.urls import URLPattern, path

from notifications.views import dashboard

app_name = "notifications"
urlpatterns: list[URLPattern] = [
    path("dashboard/messages/", dashboard.message_list, name="message_list"),
    path("dashboard/messages/<int:pk>/", dashboard.message_detail, name="message_detail"),
    path("dashboard/messages/<int:pk>/send/", dashboard.message_send, name="message_send"),
]
