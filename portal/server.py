"""How gunicorn serves the portal: `gunicorn --config python:portal.server portal.wsgi`."""

worker_class = "gthread"
workers = 2
threads = 8
preload_app = True  # one import for all workers; what fails in it ends the server, not a worker

timeout = 30
graceful_timeout = 20
keepalive = 5

# No access log: the paths of mailed links are secrets. What gunicorn says itself is scrubbed.
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrub": {"()": "portal.logs.Scrub"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "filters": ["scrub"], "formatter": "line"}
    },
    "root": {"handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"handlers": ["stderr"], "propagate": False}},
}
control_socket_disable = True
