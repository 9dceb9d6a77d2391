# Donna Skills. Two commands matter: `make run` and `make test`. They need Python 3.11 or later, and make.

PYTHON := .venv/bin/python
READY := .venv/.ready
PIP := $(PYTHON) -m pip --disable-pip-version-check
SERVICES_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres
SERVICES_REDIS_URL ?= redis://127.0.0.1:6379/9
PYTEST_WORKERS ?= 2

.PHONY: run demo test test-services checks lint types format lock bench screenshots clean help
.DEFAULT_GOAL := help

help: ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# The demo's shop and feed are served by the application itself: here, and for web tools of this machine alone.
run demo: export DONNA_DEMO_SITE ?= 127.0.0.1:$(or $(PORT),8000)

run: $(READY) ## set everything up and start web, worker and scheduler; PORT, BIND, DONNA_DEMO=yes|no
	@$(PYTHON) manage.py prepare --serve

demo: $(READY) ## load the demo world
	@$(PYTHON) manage.py demo

test: checks ## lint, types, Django's checks, then every test on SQLite (browser tests where a chromium is found)
	$(PYTHON) -m pytest -n $(PYTEST_WORKERS) --dist loadgroup

test-services: $(READY) ## every test again on PostgreSQL and Redis, with real workers
	SECRET_KEY=$${SECRET_KEY:-only-for-tests} DONNA_TEST_SERVICES=1 \
		DATABASE_URL=$(SERVICES_DATABASE_URL) REDIS_URL=$(SERVICES_REDIS_URL) \
		$(PYTHON) -m pytest -n $(PYTEST_WORKERS) --dist loadgroup

checks: lint types
	$(PYTHON) manage.py makemigrations --check --dry-run
	SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(64))') DEBUG=no DONNA_HTTPS=yes \
		ALLOWED_HOSTS=skills.example.org $(PYTHON) manage.py check --deploy --fail-level WARNING

lint: $(READY) ## ruff
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: $(READY)
	$(PYTHON) -m mypy $(wildcard donna_skills lifecycle automations)

format: $(READY)
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: $(READY) ## measure: one JSON line each
	$(PYTHON) -m bench.ingest
	$(PYTHON) -m bench.execute
	$(PYTHON) -m bench.packages
	$(PYTHON) -m bench.tick
	$(PYTHON) -m bench.drain
	$(PYTHON) -m bench.lag
	$(PYTHON) -m bench.nightly
	$(PYTHON) -m bench.fixtures
	$(PYTHON) -m bench.review

screenshots: $(READY) ## look at every page: pictures in tests/artefacts, the best in docs/screenshots
	$(PYTHON) -m tests.browser.screenshots

lock: $(READY) ## pin every package of pyproject.toml with its hashes
	@$(PYTHON) -m venv .venv-tools && .venv-tools/bin/python -m pip --disable-pip-version-check install --quiet uv
	.venv-tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --extra dev pyproject.toml -o requirements.lock

clean: ## remove what was made: environment, database, caches
	rm -rf .venv .venv-tools var .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that is new enough makes the environment; pip installs exactly what requirements.lock says.
$(READY): requirements.lock
	@for python in python3 python3.13 python3.12 python3.11; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Donna Skills needs Python 3.11 or later, and none was found: please install one."; exit 1; \
	fi; \
	if ! $$found -m venv .venv; then \
		echo "The environment could not be made. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; \
	fi
	@echo "Installing the pinned packages …"
	@$(PIP) install --quiet --quiet --no-deps --require-hashes -r requirements.lock
	@touch $@
