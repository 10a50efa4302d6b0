# KCX: `make help` lists the targets. Needs Python 3.11+ with venv; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Tests wait a third of their time: two processes more than there are cores.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
# Without its cache every start of Python compiles Django anew: it takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help demo run worker test check style types screenshots crash-test fuzz format lock bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

# uv installs the locked requirements in seconds, where an old pip takes minutes.
.venv/installed: requirements-dev.txt .ci/uv.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt
	touch $@

# dbt asks for older libraries than the tests' own.
.venv-dbt/installed: .venv/installed docs/examples/dbt/requirements.txt
	$(PYTHON) -m venv .venv-dbt
	$(BIN)/uv pip install --quiet --python .venv-dbt/bin/python --require-hashes -r docs/examples/dbt/requirements.txt
	touch $@

demo: .venv/installed ## show the main job against a simulated AWS (ARGS=--no-serve ends after the ingest)
	$(BIN)/python manage.py demo $(ARGS)

run: .venv/installed ## serve the admin on 127.0.0.1:8000, on the embedded database unless DATABASE_URL is set
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py runserver --insecure 127.0.0.1:8000

worker: .venv/installed ## run the queue: discoveries, loads, retries
	$(BIN)/python manage.py worker

test: .venv/installed .venv-dbt/installed ## run the tests (ARGS="-k name" for some)
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: .venv/installed ## the one gate: format, lint, types, import contracts, migrations, deployment, tests
	$(MAKE) --jobs=3 style types .venv-dbt/installed
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

style: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.deployment_check

types: .venv/installed
	$(BIN)/mypy

screenshots: .venv/installed ## take the pictures of docs/images from the demo (Chromium needed; a minute and a half)
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

crash-test: .venv/installed .venv-dbt/installed ## break workers at every step, 300 times and more: nothing lost, doubled or half-visible (25 minutes)
	$(BIN)/python -m tests.crash $(ARGS)

format: .venv/installed ## format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/installed ## compile the pinned requirements anew
	echo uv | $(BIN)/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 - -o .ci/uv.txt
	$(BIN)/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 docs/examples/dbt/requirements.in -o docs/examples/dbt/requirements.txt

bench: .venv/installed ## measure an ingest beside zcat | psql, discoveries beside the bare listing, pages, and exports beside psql
	$(BIN)/python -m bench $(ARGS)
	$(BIN)/python -m bench.discovery
	$(BIN)/python -m bench.pages
	$(BIN)/python -m bench.download

fuzz: .venv/installed ## damage real and generated files and judge what is read (ARGS="--minutes 30")
	$(BIN)/python -m tests.fuzz $(ARGS)

clean: ## remove what was made here: the environment, the embedded database, the caches
	rm -rf .venv .venv-dbt var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
