# Everything a person types. `make` alone lists it.

# Any Python from 3.11 on; `make PYTHON=/path/to/python` chooses one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)

# The venv's programs first, then what scripts/test-tools installed, then those of the machine.
GOPATH ?= $(HOME)/go
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH):$(or $(GOBIN),$(GOPATH)/bin)

DISTRIBUTIONS := protos clients $(patsubst %,services/%,runtime state scheduler notifier gateway standalone)
INSTALLED := .venv/.installed
PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run demo test test-compose lint format protos protos-release dist bench chaos install test-tools clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

run: $(INSTALLED) ## The three services on localhost, with a fake AWS beside them
	@worksets up $(ARGS)

demo: $(INSTALLED) ## Five worksets from S3 to their end, against `make run` in another terminal
	@worksets demo $(ARGS)

test: $(INSTALLED) ## All tests; ARGS="-m unit -x" goes to pytest
	@PYTHONDONTWRITEBYTECODE= pytest --numprocesses 4 --dist worksteal $(ARGS)

test-compose: $(INSTALLED) ## docker-compose on a Docker engine: two replicas of state, one killed
	@pytest tests/compose $(ARGS)

lint: $(INSTALLED) ## Everything that is checked without running
	ruff check
	ruff format --check
	mypy
	mypy scripts/*.py
	mypy --python-version 3.10 -p daylily_client
	lint-imports --no-logo
	python scripts/protos.py --check
	python scripts/api_reference.py --check
	python scripts/settings_reference.py --check
	python scripts/access_reference.py --check
	scripts/buf-check

format: $(INSTALLED) ## Format the code and apply the safe fixes
	ruff check --fix
	ruff format

protos: $(INSTALLED) ## Generate stubs and docs/api.md from the protos, docs/settings.md and docs/access.md from the code
	python scripts/protos.py
	python scripts/api_reference.py
	python scripts/settings_reference.py
	python scripts/access_reference.py

protos-release: $(INSTALLED) ## Make today's protos the ones that later ones must not break
	buf build --as-file-descriptor-set --exclude-source-info --output protos/released.binpb

dist: $(INSTALLED) ## Wheels of every distribution, into dist/
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist $(addprefix ./,$(DISTRIBUTIONS))
	@ls dist

bench: $(INSTALLED) ## The benchmarks by name, ARGS="backlog --monitors 8"; without one, which there are
	@python -m benchmarks $(ARGS)

chaos: $(INSTALLED) ## Kills, pauses and failures against the invariants (docs/chaos.md)
	@python -m tests.chaos $(ARGS)

install: $(INSTALLED) ## A .venv with every distribution (editable) and the tools

# One pip call for all distributions: one alone would look for its siblings in the public index.
$(INSTALLED): constraints.txt pyproject.toml $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed: make PYTHON=…' >&2; exit 1; }
	@test -x .venv/bin/python || '$(PYTHON)' -m venv .venv
	$(PIP) install -c constraints.txt --upgrade editables hatchling pip
	$(PIP) install -c constraints.txt --no-build-isolation --group dev \
		$(addprefix -e ./,$(filter-out clients,$(DISTRIBUTIONS))) -e './clients[cli,monitor,tracing]'
	@touch $@

test-tools: ## What makes more tests run: DynamoDB Local, grpcurl, buf (into .tools/), Chromium
	@scripts/test-tools

clean: ## Remove what was built or installed here; data of `make run` stays
	rm -rf .venv .tools dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
