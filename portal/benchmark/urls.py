"""The portal's addresses, and the page floor among them: same server, same middleware."""

from django.urls import URLPattern, URLResolver, path

from portal import urls
from portal.benchmark.floors import page_floor

handler404 = urls.handler404

urlpatterns: list[URLPattern | URLResolver] = [
    path("benchmark/floor/", page_floor, name="page_floor"),
    *urls.urlpatterns,
]
