# Media Pipeline. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
VENV ?= .venv
export VENV
RUN := $(VENV)/bin/pipeline
PYTEST := $(VENV)/bin/python -m pytest

##@ Set-up
.PHONY: setup setup-dev
setup: ## Make .venv with everything a run needs (idempotent; PYTHON=python3.12 chooses the interpreter)
	@scripts/setup.sh runtime

setup-dev: ## The same, and what tests and checks need
	@scripts/setup.sh dev

##@ Pipeline
.PHONY: pipeline plan status verify
pipeline: setup ## Make every episode that is not up to date
	@$(RUN) run

plan: setup ## Say what would be made, why, and how long it would take
	@$(RUN) plan

status: setup ## Say how every episode stands
	@$(RUN) status

verify: setup ## Compare every published file with its manifest
	@$(RUN) verify

##@ Engines
.PHONY: doctor voices
doctor: setup ## Check that everything can do its work, and what to do where it cannot
	@$(RUN) doctor

voices: setup ## List the installed voices
	@$(RUN) voices list

##@ Quality
.PHONY: test check lint types format bench
test: setup-dev ## Run the whole test suite, with coverage and its floor
	@$(PYTEST) -n auto --cov --cov-report=term --cov-fail-under=90

lint: setup-dev ## Style, layers, shell scripts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports
	@if command -v shellcheck >/dev/null; then shellcheck scripts/*.sh .ci/run; fi

types: setup-dev ## Static types of source and tests
	@$(VENV)/bin/mypy

check: lint types test ## Everything that must hold before a change is kept

format: setup-dev ## Bring the code into its form
	@$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

bench: ## Measure speed and memory, as ratios in one run
	@scripts/setup.sh bench
	@$(VENV)/bin/python -m benchmarks

##@ Operations
.PHONY: settings lock
settings: setup ## Show every setting and where it comes from
	@$(RUN) settings

lock: ## Lock the dependencies anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra embedded pyproject.toml -o requirements/runtime.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra embedded --group pyproject.toml:dev pyproject.toml -c requirements/runtime.lock -o requirements/dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra embedded --group pyproject.toml:bench pyproject.toml -c requirements/dev.lock -o requirements/bench.lock

##@ Clean-up
.PHONY: clean distclean
clean: setup ## Drop artifacts that no current topic needs; never input/, output/ or edits
	@$(RUN) clean

distclean: ## Remove .venv and tools' caches; never input/, output/ or .pipeline/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov build dist
	find src -maxdepth 1 -name '*.egg-info' -exec rm -rf {} +

##@ Help
.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} \
	    /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
