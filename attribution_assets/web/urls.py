"""The addresses of the web application."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path, re_path

from attribution_assets.web import api, documents, pages, runs

login = LoginView.as_view(template_name="login.html")

urlpatterns = [
    path("", pages.start),
    re_path(r"^health-check/?$", api.health_check),
    path("login/", login),
    path("logout/", pages.logout),
    path("api-auth/login/", login),
    path("api-auth/logout/", pages.logout),
    path("admin/", admin.site.urls),
    path("api/", include(api.urlpatterns + documents.urlpatterns)),
    path("worker/", include(runs.urlpatterns)),
    path("download/<slug:name>.<slug:form>", pages.download),
    path("<slug:name>/", pages.page),
]

handler400 = "attribution_assets.web.problems.refused"
handler404 = "attribution_assets.web.problems.not_found"
handler500 = "attribution_assets.web.problems.broken"
