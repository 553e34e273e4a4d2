"""Addresses of what is given: offers and courses, for staff."""

from django.urls import URLPattern, path

from offers.views import dashboard

app_name = "offers"
urlpatterns: list[URLPattern] = [
    path("dashboard/offers/", dashboard.offer_list, name="offer_list"),
    path("dashboard/offers/new/", dashboard.offer_create, name="offer_create"),
    path("dashboard/offers/<int:pk>/", dashboard.offer_update, name="offer_update"),
    path("dashboard/offers/<int:pk>/publish/", dashboard.offer_publish, name="offer_publish"),
    path("dashboard/offers/<int:pk>/archive/", dashboard.offer_archive, name="offer_archive"),
    path("dashboard/courses/", dashboard.course_list, name="course_list"),
    path("dashboard/courses/new/", dashboard.course_create, name="course_create"),
    path("dashboard/courses/<int:pk>/", dashboard.course_detail, name="course_detail"),
    path("dashboard/courses/<int:pk>/edit/", dashboard.course_update, name="course_update"),
    path("dashboard/courses/<int:pk>/publish/", dashboard.course_publish, name="course_publish"),
    path("dashboard/courses/<int:pk>/archive/", dashboard.course_archive, name="course_archive"),
    path(
        "dashboard/courses/<int:course_pk>/modules/new/",
        dashboard.module_create,
        name="module_create",
    ),
    path("dashboard/modules/<int:pk>/", dashboard.module_update, name="module_update"),
    path("dashboard/modules/<int:pk>/delete/", dashboard.module_delete, name="module_delete"),
    path(
        "dashboard/modules/<int:module_pk>/lessons/new/",
        dashboard.lesson_create,
        name="lesson_create",
    ),
    path("dashboard/lessons/<int:pk>/", dashboard.lesson_update, name="lesson_update"),
    path("dashboard/lessons/<int:pk>/delete/", dashboard.lesson_delete, name="lesson_delete"),
]
