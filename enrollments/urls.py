"""Addresses of access: the student's courses, and the staff's grants."""

from django.urls import URLPattern, path

from enrollments.views import (
    access,
    enrollments,
    exports,
    grants,
    holders,
    imports,
    members,
    repair,
    student,
)

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
    path("dashboard/grants/<int:pk>/suspend/", grants.grant_suspend, name="grant_suspend"),
    path("dashboard/grants/<int:pk>/resume/", grants.grant_resume, name="grant_resume"),
    path("dashboard/grants/<int:pk>/extend/", grants.grant_extend, name="grant_extend"),
    path("dashboard/contacts/<int:contact_pk>/dates/undo/", grants.end_undo, name="end_undo"),
    path("dashboard/contacts/register/", members.member_register, name="member_register"),
    path(
        "dashboard/contacts/<int:contact_pk>/enrollments/",
        enrollments.enrollment_list,
        name="enrollment_list",
    ),
    path(
        "dashboard/enrollments/<int:pk>/edit/",
        enrollments.enrollment_update,
        name="enrollment_update",
    ),
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
    path("dashboard/access/", access.access_explain, name="access_explain"),
    path("dashboard/contacts/<int:pk>/repair/", repair.contact_repair, name="contact_repair"),
    path("dashboard/imports/", imports.import_list, name="import_list"),
    path("dashboard/imports/new/", imports.import_create, name="import_create"),
    path("dashboard/imports/template/", imports.import_template, name="import_template"),
    path("dashboard/imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("dashboard/imports/<int:pk>/start/", imports.import_start, name="import_start"),
    path("dashboard/imports/<int:pk>/undo/", imports.import_undo, name="import_undo"),
    path(
        "dashboard/imports/<int:pk>/failed/",
        imports.import_failed_rows,
        name="import_failed_rows",
    ),
    path("dashboard/exports/enrollments/", exports.enrollment_export, name="enrollment_export"),
    path(
        "dashboard/exports/subscriptions/", exports.subscription_export, name="subscription_export"
    ),
    path("dashboard/exports/contacts/", exports.contact_export, name="contact_export"),
    path("dashboard/offers/<int:pk>/holders/", holders.holder_list, name="holder_list"),
    path("dashboard/offers/<int:pk>/holders/move/", holders.holder_move, name="holder_move"),
    path("dashboard/offers/<int:pk>/holders/follow/", holders.holder_follow, name="holder_follow"),
]
