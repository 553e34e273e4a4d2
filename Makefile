# make dev    a reloading server with the demo's data
# make check  everything that must be true before a change lands (what .ci/run calls)
# make test   the tests alone
# make bench  the benchmark, with its goals
# make doors  write the README's table of who may open what anew
# make lock   pin the newest versions of everything in pyproject.toml
# make words  collect the texts for translation, and compile them

.PHONY: dev check lint test bench doors lock words

dev:
	DEBUG=1 uv run manage.py demo --reload

check: lint test

lint:
	uv run ruff check
	uv run ruff format --check
	uv run djlint --check --lint --quiet templates
	uv run djade --target-version 6.1 --check $$(git ls-files 'templates/*.html')
	uv run lint-imports
	uv run mypy
	uv run manage.py makemigrations --check --dry-run
	uv run python -m portal.words --check

test:
	uv run pytest

bench:
	uv run manage.py benchmark --check

doors:
	uv run python tests/doors.py

lock:
	uv run python -m portal.lock

words:
	uv run python -m portal.words
