"""Addresses of what is given: offers and courses, for staff."""

from django.urls import URLPattern, path

from offers.views import cohorts, courses, lessons, offers, quizzes

app_name = "offers"
urlpatterns: list[URLPattern] = [
    path("dashboard/offers/", offers.offer_list, name="offer_list"),
    path("dashboard/offers/new/", offers.offer_create, name="offer_create"),
    path("dashboard/offers/<int:pk>/", offers.offer_update, name="offer_update"),
    path("dashboard/offers/<int:pk>/publish/", offers.offer_publish, name="offer_publish"),
    path("dashboard/offers/<int:pk>/archive/", offers.offer_archive, name="offer_archive"),
    path("dashboard/courses/", courses.course_list, name="course_list"),
    path("dashboard/courses/new/", courses.course_create, name="course_create"),
    path("dashboard/courses/<int:pk>/", courses.course_detail, name="course_detail"),
    path("dashboard/courses/<int:pk>/edit/", courses.course_update, name="course_update"),
    path("dashboard/courses/<int:pk>/publish/", courses.course_publish, name="course_publish"),
    path("dashboard/courses/<int:pk>/archive/", courses.course_archive, name="course_archive"),
    path(
        "dashboard/courses/<int:pk>/duplicate/", courses.course_duplicate, name="course_duplicate"
    ),
    path("dashboard/courses/<int:pk>/order/", courses.course_reorder, name="course_reorder"),
    path(
        "dashboard/courses/<int:course_pk>/modules/new/",
        courses.module_create,
        name="module_create",
    ),
    path("dashboard/modules/<int:pk>/", courses.module_update, name="module_update"),
    path("dashboard/modules/<int:pk>/delete/", courses.module_delete, name="module_delete"),
    path(
        "dashboard/modules/<int:module_pk>/lessons/new/",
        lessons.lesson_create,
        name="lesson_create",
    ),
    path("dashboard/lessons/preview/", lessons.lesson_preview, name="lesson_preview"),
    path("dashboard/lessons/<int:pk>/", lessons.lesson_update, name="lesson_update"),
    path("dashboard/lessons/<int:pk>/publish/", lessons.lesson_publish, name="lesson_publish"),
    path("dashboard/lessons/<int:pk>/delete/", lessons.lesson_delete, name="lesson_delete"),
    path("dashboard/lessons/<int:pk>/quiz/", quizzes.quiz_update, name="quiz_update"),
    path(
        "dashboard/lessons/<int:lesson_pk>/questions/new/",
        quizzes.question_create,
        name="question_create",
    ),
    path("dashboard/questions/<int:pk>/", quizzes.question_update, name="question_update"),
    path("dashboard/questions/<int:pk>/delete/", quizzes.question_delete, name="question_delete"),
    path("dashboard/questions/<int:pk>/move/", quizzes.question_move, name="question_move"),
    path("dashboard/courses/<int:course_pk>/cohorts/", cohorts.cohort_list, name="cohort_list"),
    path(
        "dashboard/courses/<int:course_pk>/cohorts/new/",
        cohorts.cohort_create,
        name="cohort_create",
    ),
    path("dashboard/cohorts/<int:pk>/", cohorts.cohort_update, name="cohort_update"),
    path("dashboard/cohorts/<int:pk>/delete/", cohorts.cohort_delete, name="cohort_delete"),
]
