# Every target works from a fresh clone in a clean environment: it makes what it needs, once.
# `make install` makes .venv; the command is then .venv/bin/hub.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The first Python on the PATH that really runs and is 3.11 or later (a version manager's stub may do neither).
PYTHON ?= $(shell for p in python3.11 python3 python3.13 python3.12; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Debian packages that the tests and `make fast` need, and a command that each one brings: what compiles the row engine.
DEBIAN_PACKAGES := build-essential:cc python3-dev:python3-config

LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate --extra build

.PHONY: help install install-dev debian demo serve test check bench fast mutation mutation-packs campaign-consent campaign-packs conformance clean lock

help:
	@echo "make install      make .venv; the command is .venv/bin/hub"
	@echo "make demo         run the whole story over real sockets"
	@echo "make serve        run the hub: API, MLLP and worker in one process"
	@echo "make test         run the tests"
	@echo "make check        format, lint, types, import contracts"
	@echo "make bench        measure"
	@echo "make fast         compile the row engine to machine code (needs a C compiler; reads HL7 v2 more than twice as fast)"
	@echo "make mutation     try the consent engine's tests on mutants of it (about 20 minutes)"
	@echo "make mutation-packs   damage the packs row by row and count what their checks notice (about 10 minutes)"
	@echo "make campaign-packs   hold the law of packs against 2,000 messages of each type; goes on where it stopped"
	@echo "make campaign-consent  walk 200,000 cases through every invariant; goes on where it stopped"
	@echo "make conformance SAMPLES=DIR   translate the public samples in DIR"
	@echo "make lock         renew the lock files (needs uv)"
	@echo "make clean        remove .venv, caches and what was compiled; .hub (data and keys) stays"

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed on the PATH (or say make PYTHON=...)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.locked: requirements.lock | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# Installs what is missing where that is possible; elsewhere it says what to install and goes on to fail.
debian:
	@missing=""; for pair in $(DEBIAN_PACKAGES); do \
		command -v "$${pair#*:}" >/dev/null 2>&1 || missing="$$missing $${pair%%:*}"; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; \
		else \
			echo "Please install:$$missing" >&2; exit 1; \
		fi; \
	fi

demo: install
	$(BIN)/hub demo

serve: install
	$(BIN)/hub serve

test: install-dev debian
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict consent adapters hub
	$(BIN)/lint-imports
	$(BIN)/hub pack check adapters/health/hl7v2 --messages 0
	$(BIN)/python tools/consent_doc.py --check

# The compiled engine lies in build/compiled and is used as long as the source is what it was compiled from.
fast: install-dev debian
	$(BIN)/python tools/compile_engine.py

bench: install-dev
	-$(MAKE) --no-print-directory fast
	$(BIN)/python bench/run.py

mutation: install-dev
	$(BIN)/python tools/mutate.py

mutation-packs: install-dev
	$(BIN)/python tools/mutate_packs.py

campaign-consent: install-dev
	$(BIN)/python tools/campaign_consent.py

campaign-packs: install-dev
	$(BIN)/python tools/campaign_packs.py $(CAMPAIGN_ARGS)

conformance: install-dev
	@test -n "$(SAMPLES)" || { echo "Say where the samples are: make conformance SAMPLES=DIR" >&2; exit 2; }
	@test -d "$(SAMPLES)" || { echo "There is no folder $(SAMPLES): give SAMPLES=DIR the public samples' folder" >&2; exit 2; }
	$(BIN)/python -m tests.conformance.run "$(SAMPLES)"

lock:
	@command -v uv >/dev/null || { echo "uv is needed: see https://docs.astral.sh/uv" >&2; exit 1; }
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) build/compiled dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find consent adapters hub tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
