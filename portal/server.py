"""How gunicorn serves the portal: `gunicorn --config python:portal.server portal.wsgi`."""

from typing import Any

from gunicorn import glogging  # type: ignore[import-untyped]

from portal.logs import scrub

worker_class = "gthread"
workers = 2
threads = 8
preload_app = True  # one import for all workers; what fails in it ends the server, not a worker

timeout = 30
graceful_timeout = 20
keepalive = 5


class _Atoms(glogging.SafeAtoms):  # type: ignore[misc]
    """The words of an access line: addresses and referrers hold the keys of mailed links."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return scrub(value) if isinstance(value, str) else value


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's, without secrets even where somebody turns the access log on."""

    atoms_wrapper_class = _Atoms


# No access log: who looked at what is nobody's business, and the front server may keep one.
accesslog = None
logger_class = Logger
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "portal.logs.Line"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"handlers": ["stderr"], "propagate": False}},
}
control_socket_disable = True
