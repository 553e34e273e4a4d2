"""Addresses of access: the student's courses, and the staff's grants."""

from django.urls import URLPattern, path

from enrollments.views import (
    access,
    comments,
    enrollments,
    exports,
    files,
    grants,
    holders,
    imports,
    lessons,
    members,
    moderation,
    quiz,
    quiz_attempts,
    ratings,
    repair,
    schedule,
    student,
)

app_name = "enrollments"
urlpatterns: list[URLPattern] = [
    path("files/<uuid:pk>/", files.file_detail, name="file_detail"),
    path("courses/", student.course_list, name="course_list"),
    path("courses/<slug:slug>/", student.course_detail, name="course_detail"),
    path("courses/<slug:slug>/lessons/<int:pk>/", student.lesson_detail, name="lesson_detail"),
    path(
        "courses/<slug:slug>/lessons/<int:pk>/complete/",
        student.lesson_complete,
        name="lesson_complete",
    ),
    path(
        "courses/<slug:slug>/lessons/<int:pk>/progress/",
        student.lesson_progress,
        name="lesson_progress",
    ),
    path(
        "courses/<slug:slug>/lessons/<int:pk>/comments/",
        comments.comment_list,
        name="comment_list",
    ),
    path(
        "courses/<slug:slug>/lessons/<int:lesson_pk>/comments/<int:pk>/take-back/",
        comments.comment_take_back,
        name="comment_take_back",
    ),
    path("courses/<slug:slug>/rating/", ratings.rating_update, name="rating_update"),
    path("dashboard/comments/", moderation.moderation_list, name="moderation_list"),
    path(
        "dashboard/comments/lessons/<int:pk>/",
        moderation.moderation_detail,
        name="moderation_detail",
    ),
    path("dashboard/comments/<int:pk>/hide/", moderation.comment_hide, name="comment_hide"),
    path("dashboard/comments/<int:pk>/show/", moderation.comment_show, name="comment_show"),
    path("dashboard/courses/ratings/", ratings.rating_averages, name="rating_averages"),
    path("dashboard/courses/<int:pk>/ratings/", ratings.rating_list, name="rating_list"),
    path("courses/<slug:slug>/lessons/<int:pk>/quiz/", quiz.quiz_take, name="quiz_take"),
    path(
        "courses/<slug:slug>/lessons/<int:pk>/quiz/<int:number>/",
        quiz.quiz_result,
        name="quiz_result",
    ),
    path("dashboard/quiz-attempts/", quiz_attempts.quiz_attempt_list, name="quiz_attempt_list"),
    path(
        "dashboard/quiz-attempts/<int:pk>/",
        quiz_attempts.quiz_attempt_detail,
        name="quiz_attempt_detail",
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
    path("dashboard/enrollments/<int:pk>/lessons/", lessons.lesson_list, name="lesson_list"),
    path(
        "dashboard/enrollments/<int:pk>/unlock/",
        lessons.enrollment_unlock,
        name="enrollment_unlock",
    ),
    path("dashboard/enrollments/<int:pk>/lock/", lessons.enrollment_lock, name="enrollment_lock"),
    path(
        "dashboard/enrollments/<int:pk>/lessons/<int:lesson_pk>/unlock/",
        lessons.lesson_unlock,
        name="lesson_unlock",
    ),
    path(
        "dashboard/enrollments/<int:pk>/lessons/<int:lesson_pk>/lock/",
        lessons.lesson_lock,
        name="lesson_lock",
    ),
    path("dashboard/courses/<int:pk>/schedule/", schedule.schedule_detail, name="schedule_detail"),
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
