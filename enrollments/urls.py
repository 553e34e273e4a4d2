"""Addresses of access: the student's courses, and the staff's grants."""

from django.urls import URLPattern, path

from enrollments.views import access, grants, student

app_name = "enrollments"
urlpatterns: list[URLPattern] = [
    path("courses/", student.course_list, name="course_list"),
    path("courses/<slug:slug>/", student.course_detail, name="course_detail"),
    path("courses/<slug:slug>/lessons/<int:pk>/", student.lesson_detail, name="lesson_detail"),
    path(
        "courses/<slug:slug>/lessons/<int:pk>/complete/",
        student.lesson_complete,
        name="lesson_complete",
    ),
    path(
        "dashboard/contacts/<int:contact_pk>/grants/new/",
        grants.grant_create,
        name="grant_create",
    ),
    path("dashboard/grants/<int:pk>/revoke/", grants.grant_revoke, name="grant_revoke"),
    path(
        "dashboard/contacts/<int:contact_pk>/offers/<int:offer_pk>/revoke/",
        grants.offer_revoke,
        name="offer_revoke",
    ),
    path(
        "dashboard/contacts/<int:contact_pk>/courses/<int:course_pk>/access/",
        access.access_detail,
        name="access_detail",
    ),
]
