"""What we ship for production: read as files, and run as the commands they name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from portal.embedded.server import Server

ROOT = Path(__file__).parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()

PRODUCTION = {
    "SECRET_KEY": "kW7vQ2mZ9xR4tY6uB8nC1pL3dF5gH0jS-aE_iO7wX2zV4qM6-longer",
    "LINK_KEY": "pN4xS8dG2hJ6kL0zX5cV9bM1qW3eR7tY-uI_oA4sD8fG2hJ6k-longer",
    "PORTAL_URL": "https://portal.example.com",
    "ALLOWED_HOSTS": "portal.example.com",
    "EMAIL_URL": "smtp://localhost",
    "TRUSTED_PROXIES": "1",
}


def manage(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a production would: with no variable but these."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def database_url() -> str:
    server = Server(ROOT / "var" / "postgres-test", fsync=False)
    server.ensure("portal")
    return server.url("portal")


def test_the_deployment_check_is_clean(database_url):
    done = manage(
        "check", "--deploy", "--fail-level", "WARNING", DATABASE_URL=database_url, **PRODUCTION
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("missing", "found"),
    [
        ("SECRET_KEY", "SECRET_KEY must be set"),
        ("LINK_KEY", "portal.W008"),
        ("TRUSTED_PROXIES", "portal.W005"),
        ("EMAIL_URL", "portal.E004"),
        ("DATABASE_URL", "portal.E001"),
        ("ALLOWED_HOSTS", "portal.E006"),
    ],
)
def test_the_deployment_check_names_what_is_missing(database_url, missing, found):
    variables = {"DATABASE_URL": database_url, **PRODUCTION}
    del variables[missing]
    done = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        **variables,
        VAR_DIR=str(ROOT / "var" / "test-deployment"),
    )
    assert done.returncode == 1
    assert found in done.stderr


def test_the_deployment_check_wants_the_portal_to_have_one_name(database_url):
    variables = {"DATABASE_URL": database_url, **PRODUCTION, "ALLOWED_HOSTS": "*"}
    done = manage("check", "--deploy", "--fail-level", "WARNING", **variables)
    assert done.returncode == 1
    assert "portal.W007" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORTAL_URL", "portal.example.com"),
        ("TIME_ZONE", "Rome"),
        ("EMAIL_URL", "localhost"),
        ("DATABASE_URL", "sqlite:///x"),
    ],
)
def test_a_value_that_makes_no_sense_stops_the_start_and_names_itself(variable, value):
    done = manage("check", **{variable: value})
    assert done.returncode == 1
    assert variable in done.stderr.strip().splitlines()[-1]


def test_every_service_stands_in_the_compose_file():
    assert {"web", "worker", "clock", "postgres", "redis", "mailpit"} <= set(COMPOSE)


def test_web_worker_and_clock_are_one_image_with_the_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert all(COMPOSE[name]["build"] == "." for name in ("web", "worker", "clock", "migrate"))
    assert "gunicorn --config python:portal.server portal.wsgi" in readme
    assert COMPOSE["web"]["command"].startswith("gunicorn --config python:portal.server")
    assert COMPOSE["web"]["command"].endswith("portal.wsgi")
    assert COMPOSE["worker"]["command"].startswith(
        "celery --app portal worker --queues login,jobs,bulk"
    )
    assert COMPOSE["clock"]["command"] == "python manage.py clock"
    for name in ("web", "worker", "clock"):
        assert COMPOSE[name]["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }


def test_redis_keeps_its_queue_and_refuses_rather_than_forgets():
    assert "--appendonly yes" in COMPOSE["redis"]["command"]
    assert "--maxmemory-policy noeviction" in COMPOSE["redis"]["command"]


def test_the_image_runs_as_nobody_special_and_has_its_static_files():
    assert re.search(r"^USER portal$", DOCKERFILE, re.MULTILINE)
    assert "collectstatic --noinput" in DOCKERFILE
    assert f"FROM python:{(ROOT / '.python-version').read_text().strip()}" in DOCKERFILE


def test_every_variable_of_the_example_is_one_the_settings_read():
    names = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    sources = "".join(
        (ROOT / "portal" / name).read_text() for name in ("settings.py", "environment.py")
    )
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', sources))
    assert {name for name in names - read if not name.startswith("ANYMAIL_")} == {
        "POSTGRES_PASSWORD"
    }
    documented = set(re.findall(r"[A-Z_]{4,}", (ROOT / "README.md").read_text()))
    assert read - documented == {"DEMO"}


def test_static_files_are_collected_with_hashed_names(tmp_path):
    done = manage(
        "collectstatic", "--noinput", STATIC_ROOT=str(tmp_path), VAR_DIR=str(tmp_path / "var")
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "css").glob("tokens.*.css"))
