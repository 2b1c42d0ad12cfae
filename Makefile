# Media Pipeline. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
VENV ?= .venv
export VENV
# What a person writes after `make pipeline` reaches the scripts: make pipeline SD_ENABLED=true
export MODE SD_ENABLED GPU OLLAMA_BASE_URL EXTRA_CA_FILE MONITORING STACK_NAME BACKUP_DIR
# Tests start the program hundreds of times: where its modules may not be kept compiled, each start compiles them anew.
PYTEST := PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python -m pytest

##@ Set-up
.PHONY: setup setup-dev
setup: ## Make .venv with everything a run needs (idempotent; PYTHON=python3.12 chooses the interpreter)
	@scripts/setup.sh runtime

setup-dev: ## The same, and what tests and checks need
	@scripts/setup.sh dev

##@ Pipeline
# MODE=containers or MODE=local decides where it runs; else containers, where a Docker Engine answers.
.PHONY: pipeline plan status verify
pipeline: ## Make every episode that is not up to date
	@scripts/stack.sh pipeline run

plan: ## Say what would be made, why, and how long it would take
	@scripts/stack.sh pipeline plan

status: ## Say how every episode stands
	@scripts/stack.sh pipeline status

verify: ## Compare every published file with its manifest
	@scripts/stack.sh pipeline verify

##@ Stack
.PHONY: up down logs ps
up: ## Start the stack and leave it there: it makes what comes into input/
	@scripts/stack.sh up

down: ## Stop the stack; episodes, artifacts and models stay
	@scripts/stack.sh compose down --remove-orphans

logs: ## Follow the logs of the stack
	@scripts/stack.sh compose logs --follow --tail 100

ps: ## Say how the services of the stack stand
	@scripts/stack.sh compose ps --all

##@ Engines
.PHONY: doctor voices models
doctor: ## Check that everything can do its work, and what to do where it cannot
	@scripts/stack.sh pipeline doctor

voices: ## List the installed voices
	@scripts/stack.sh pipeline voices list

models: ## Fetch the models that the settings ask for
	@scripts/stack.sh pipeline models fetch

##@ Quality
.PHONY: test coverage test-stack rehearsal faults mutants check lint audit types format bench load
test: setup-dev ## Run the whole test suite
	@$(PYTEST) -n auto --dist worksteal

coverage: setup-dev ## The same, and say what no test reaches; fails below nine tenths (half as long again)
	@$(PYTEST) -n auto --dist worksteal --cov --cov-report=term --cov-fail-under=90

test-stack: setup-dev ## Drive a real container engine: build, start, kill, restore
	@$(PYTEST) -m stack tests/compose

rehearsal: setup-dev ## A hundred topics through the stack while its services fall for 20 minutes (needs an engine)
	@$(VENV)/bin/python -m tests.compose.rehearsal

faults: setup-dev ## Inject every fault there is and write report.json (15 minutes on two cores)
	@PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python -m tests.faults

lint: setup-dev ## Style, layers, shell scripts, dangerous calls, secrets
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/shellcheck scripts/*.sh compose/monitoring/alertmanager/start.sh .ci/run
	@$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive src scripts
	@scripts/check-secrets.sh

audit: setup-dev ## Ask the package index for known holes in all that is locked (needs the network)
	@scripts/check-advisories.sh

types: setup-dev ## Static types of source and tests
	@$(VENV)/bin/mypy

mutants: setup-dev ## Make small mistakes in the code on purpose, and see whether the tests notice (an hour on two cores)
	@$(VENV)/bin/python -m tests.mutants

check: setup-dev ## Everything that must hold before a change is kept
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint types
	@$(MAKE) --no-print-directory test

format: setup-dev ## Bring the code into its form
	@$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

bench: ## Measure speed and memory, as ratios in one run
	@scripts/setup.sh bench
	@$(VENV)/bin/python -m benchmarks

load: ## A minute of callers at API, watched folder and speech service; the report is in load-report/
	@scripts/setup.sh bench
	@$(VENV)/bin/python -m load

##@ Operations
.PHONY: settings lock
.PHONY: backup restore sbom
backup: ## Keep input, settings, edits and episodes in one checked file in backups/
	@scripts/backup.sh

restore: ## Bring a backup back: make restore BACKUP=backups/… (REPLACE=yes moves what is there aside)
	@scripts/restore.sh $(BACKUP) $(if $(REPLACE),--replace)

sbom: ## Write down what is inside the images, into dist/ (CycloneDX)
	docker build -f compose/manager/Dockerfile --target sbom --output type=local,dest=dist .
	docker build -f compose/piper/Dockerfile --target sbom --output type=local,dest=dist .
	docker build -f compose/images/Dockerfile --target sbom --output type=local,dest=dist .

settings: ## Show every setting and where it comes from
	@scripts/stack.sh pipeline settings

# What an index for CUDA brings along, by its own versions.
CUDA = triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cccl cuda-cupti cuda-nvrtc \
    cuda-runtime cudnn-cu13 cufft cufile cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)

lock: ## Lock the dependencies anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra embedded --extra service --extra mcp pyproject.toml -o requirements/runtime.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra embedded --group pyproject.toml:dev pyproject.toml -c requirements/runtime.lock -o requirements/dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra embedded --group pyproject.toml:bench pyproject.toml -c requirements/dev.lock -o requirements/bench.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra service --extra otel pyproject.toml -c requirements/dev.lock -o requirements/manager.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    requirements/speech-server.in -c requirements/dev.lock -o requirements/speech-server.lock
	# PyTorch and what it brings come from the index of the hardware at hand (compose/images/Dockerfile).
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra image-server --extra otel pyproject.toml -c requirements/dev.lock -o requirements/image-server.lock \
	    $(foreach package,torch $(CUDA),--no-emit-package $(package))
	printf 'setuptools>=80\nwheel\n' | uv pip compile --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate - -o requirements/build.lock
	echo 'cyclonedx-bom>=7.5' | uv pip compile --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate - -o requirements/sbom.lock

##@ Clean-up
.PHONY: clean distclean
clean: ## Drop artifacts that no current topic needs; never input/, output/ or edits
	@scripts/stack.sh pipeline clean

distclean: ## Remove .venv and tools' caches; never input/, output/ or .pipeline/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov build dist
	find src -maxdepth 1 -name '*.egg-info' -exec rm -rf {} +

##@ Help
.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} \
	    /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
