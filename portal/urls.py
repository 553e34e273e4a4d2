"""The URL map. Every address not public is shut by default."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from portal.views import contact, contacts, demo, home, search, styleguide
from portal.views import settings as school_settings

handler404 = "portal.views.errors.not_found"

house: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("dashboard/", home.dashboard, name="dashboard"),
    path("dashboard/search/", search.search, name="search"),
    path("dashboard/contacts/", contacts.contact_list, name="contact_list"),
    path("dashboard/contacts/count/", contacts.contact_count, name="contact_count"),
    path("dashboard/contacts/<int:pk>/", contact.contact_detail, name="contact_detail"),
    path(
        "dashboard/contacts/<int:pk>/timeline/", contact.contact_timeline, name="contact_timeline"
    ),
    path("dashboard/settings/", school_settings.settings, name="settings"),
    path("dashboard/events/<int:pk>/replay/", home.event_replay, name="event_replay"),
    path("dashboard/jobs/<int:pk>/replay/", home.job_replay, name="job_replay"),
    path("demo/mail/", demo.mail_list, name="mail_list"),
    path("demo/mail/<str:name>/", demo.mail_detail, name="mail_detail"),
    path("demo/mail/<str:name>/html/", demo.mail_html, name="mail_html"),
]

if settings.DEBUG:
    house.append(path("dashboard/styleguide/", styleguide.styleguide, name="styleguide"))

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((house, "portal"))),
    path("", include("accounts.urls")),
    path("", include("offers.urls")),
    path("", include("enrollments.urls")),
    path("", include("notifications.urls")),
]
