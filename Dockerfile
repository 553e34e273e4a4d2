# One image for web, worker and clock; the command decides which it is.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/venv \
    UV_PYTHON_DOWNLOADS=never \
    PATH=/venv/bin:$PATH \
    VAR_DIR=/var/portal

RUN pip install --no-cache-dir uv && useradd --system --create-home portal \
    && mkdir -p /var/portal/media && chown -R portal /var/portal

WORKDIR /portal
COPY pyproject.toml .python-version README.md ./
RUN uv sync --no-dev --no-cache

COPY . .
# Static files are hashed into the image: no volume, and nothing to do at the start.
RUN SECRET_KEY=of-the-build VAR_DIR=/tmp/build STATIC_ROOT=/portal/static.built python manage.py collectstatic --noinput

ENV STATIC_ROOT=/portal/static.built
USER portal
EXPOSE 8000
CMD ["gunicorn", "--config", "python:portal.server", "--bind", "0.0.0.0:8000", "portal.wsgi"]
