"""The URL map. Every address not public is shut by default."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from portal.views import (
    audit,
    bulk,
    contact,
    contacts,
    demo,
    home,
    links,
    my_data,
    search,
    styleguide,
)
from portal.views import settings as school_settings

handler400 = "portal.views.errors.bad_request"
handler403 = "portal.views.errors.forbidden"
handler404 = "portal.views.errors.not_found"
handler500 = "portal.views.errors.broken"

house: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("profile/data/", my_data.my_data, name="my_data"),
    path("dashboard/", home.dashboard, name="dashboard"),
    path("dashboard/activity/", home.activity, name="activity"),
    path("dashboard/search/", search.search, name="search"),
    path("dashboard/contacts/", contacts.contact_list, name="contact_list"),
    path("dashboard/contacts/count/", contacts.contact_count, name="contact_count"),
    path("dashboard/contacts/numbers/", home.contact_numbers, name="contact_numbers"),
    path("dashboard/contacts/filters/", contacts.contact_filter, name="contact_filter"),
    path("dashboard/contacts/segments/new/", contacts.segment_create, name="segment_create"),
    path(
        "dashboard/contacts/segments/<int:pk>/delete/",
        contacts.segment_delete,
        name="segment_delete",
    ),
    path("dashboard/portal-users/", contacts.portal_user_list, name="portal_user_list"),
    path(
        "dashboard/portal-users/numbers/",
        contacts.portal_user_numbers,
        name="portal_user_numbers",
    ),
    path("dashboard/bulk/", bulk.bulk_list, name="bulk_list"),
    path("dashboard/bulk/new/", bulk.bulk_create, name="bulk_create"),
    path("dashboard/bulk/<int:pk>/", bulk.bulk_detail, name="bulk_detail"),
    path("dashboard/bulk/<int:pk>/undo/", bulk.bulk_undo, name="bulk_undo"),
    path("dashboard/contacts/<int:pk>/", contact.contact_detail, name="contact_detail"),
    path("dashboard/contacts/<int:pk>/links/", links.link_list, name="link_list"),
    path("dashboard/contacts/<int:pk>/block/", contact.contact_block, name="contact_block"),
    path(
        "dashboard/contacts/<int:pk>/timeline/", contact.contact_timeline, name="contact_timeline"
    ),
    path("dashboard/audit/", audit.audit_list, name="audit_list"),
    path("dashboard/audit/export/", audit.audit_export, name="audit_export"),
    path("dashboard/audit/<int:pk>/", audit.audit_detail, name="audit_detail"),
    path("dashboard/settings/", school_settings.settings, name="settings"),
    path("dashboard/settings/access/", school_settings.access_settings, name="access_settings"),
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
