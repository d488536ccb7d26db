# avtale: everything a person types. `make` alone explains.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-cache-dir
# Tests that run at once, each with a database of its own; the stories wait more than they work.
WORKERS ?= 3
PYTEST_ARGS ?=
ARGS ?=

# Every process here is a new one: without compiled modules on the disk each start would take seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo story bench chaos fuzz migrate-rehearsal test check docs coverage lock clean screenshots

help:  ## Show this text
	@echo "avtale: subscriptions and one-time purchases on Vipps MobilePay and Stripe, with a sandbox for both."
	@echo
	@echo "Start with 'make demo': it sets everything up and starts a shop with Vipps on this machine, for your browser."
	@echo "Needed: python3 >= 3.11 and a package index that pip can reach. Nothing is written outside this folder"
	@echo "and the temporary folder."
	@echo
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-17s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "One test:  make test WORKERS=0 PYTEST_ARGS='provider/tests/storage -k embedded'"

setup: .venv/.stamp  ## Make .venv with the locked dependencies and both distributions (safe to repeat)

# uv, itself from the lock, is ten times as fast; pip also knows the indexes that only its own settings name.
.venv/.stamp: requirements/lock.txt provider/pyproject.toml sandbox/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "python3 >= 3.11 is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(BIN)/python -c pass 2>/dev/null || rm -rf .venv
	@test -d .venv || $(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies into .venv ..."
	@sed -n '/^uv==/,/[^\\]$$/p' requirements/lock.txt > .venv/uv.txt
	@$(PIP) --no-deps --require-hashes -r .venv/uv.txt
	@UV_HTTP_RETRIES=0 $(BIN)/uv pip install --quiet --no-cache --system-certs --python $(BIN)/python --require-hashes \
			-r requirements/lock.txt 2> .venv/uv.log \
		|| { echo "uv could not (.venv/uv.log says why); pip will, in about half a minute ..."; \
			$(PIP) --no-deps --require-hashes -r requirements/lock.txt; }
	@$(PIP) --no-deps --no-build-isolation -e provider -e sandbox
	@touch $@

# ARGS=--new-ports moves it, when another program has taken one of its ports.
demo: setup  ## A shop, Vipps, telephones and an operator's page in your browser; data stays in .avtale/demo
	@$(BIN)/avtale demo $(ARGS)

story: setup  ## Run the main job: real processes, eleven people, three months on the turned clock
	@$(BIN)/python -m stories

# PEERS=folder in which `npm install @stoplight/prism-cli wiremock` was run; ONLY=speed, growth or year of the sandbox,
# billing, budget, webhooks, checkout, reads, start or migration of the provider; PAGE=yes writes the provider's figures into their page.
bench: setup  ## Measure the sandbox, beside Prism and WireMock if npm has them, and the provider (needs wrk)
	@$(BIN)/python -m benchmarks --rounds $(or $(ROUNDS),5) --seconds $(or $(SECONDS_EACH),2) \
		$(if $(PEERS),--peers $(PEERS)) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) \
		$(if $(DUE),--due $(DUE)) $(if $(IDLE),--idle $(IDLE)) $(if $(FLEET),--fleet $(FLEET)) \
		$(if $(ROWS),--rows $(ROWS)) $(if $(PAGE),--page)

# SEED=7 runs one seed again; SHORT=1 is the cut that the CI runs.
chaos: setup  ## Months of business while processes die and the gateway fails; then both books must agree
	@$(BIN)/python -m stories.chaos

# TIMES=100 asks a hundred times as often as the tests do; what fails is told with the few lines that repeat it.
fuzz: setup  ## Random requests and random lives, many times as many as in the tests
	@FUZZ=$(or $(TIMES),20) $(BIN)/python -m pytest -n $(WORKERS) -m fuzz -o timeout=7200 $(PYTEST_ARGS)

# ROWS=2000 is quicker; BILLING=no ends when everything is applied.
migrate-rehearsal: setup  ## 100 000 agreements move in, workers are killed, and the next month is charged
	@$(BIN)/python -m stories.moving --rows $(or $(ROWS),100000) $(if $(filter no,$(BILLING)),--no-billing)

test: setup  ## Run all tests (real HTTP, real PostgreSQL)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: setup  ## What the CI runs: ruff, mypy --strict, import rules, tests
	@$(BIN)/python -m pip --disable-pip-version-check check
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

coverage: setup  ## Write docs/reference/coverage.md and operations.md: what is shown by which test
	@$(BIN)/python -m stories.coverage
	@$(BIN)/python -m stories.operations

docs: setup  ## Make anew what docs/reference takes from the code
	@$(BIN)/python -m stories.reference

screenshots: setup  ## Take the pictures in docs/pictures anew, of today's pages (needs Chromium)
	@$(BIN)/python -m stories.screenshots

lock: setup  ## Compile requirements/lock.txt anew (UPGRADE=1 takes the newest versions)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) \
		provider/pyproject.toml sandbox/pyproject.toml requirements/dev.in -o requirements/lock.txt

clean:  ## Remove .venv, caches and what the story wrote
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache story.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
