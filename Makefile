# Everything a developer does here, from a machine with python3, make and git. `make help` lists it.
# Neo4j, and Java where it is missing, are fetched on first use into ~/.cache/neokeep (or $NEOKEEP_CACHE).

SHELL := /bin/sh
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready

# Tests start neokeep hundreds of times, and each would compile all of it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test quick bench mutate lint format clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## back up and restore a running Neo4j, from nothing
	@echo "demo: a real Neo4j under load is backed up and restored"
	@$(RUN)/python -m neokeep.lab.demo

test: lint ## every check and every test, real servers too (minutes)
	@echo "test: every test, on real Neo4j servers of each version"
	@$(RUN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=40 --durations-min=5

quick: lint ## every check, and the tests that need no server and no patience (a minute)
	@echo "quick: the tests that need no server and break nothing on purpose, with few examples of each property, in memory"
	@scratch=$$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	NEOKEEP_TEST_PROFILE=quick TMPDIR=$$scratch $(RUN)/pytest -q -m "not real and not faults and not slow" -n 2

bench: $(READY) ## measure against Neo4j's own tools
	@echo "bench: the same work by neokeep and by Neo4j's own tools"
	@$(RUN)/python -m neokeep.lab.bench

mutate: $(READY) ## take out each safeguard in turn: a test has to notice (an hour)
	@echo "mutate: each fsync, comparison of hashes and create-if-absent is taken out of a copy, one at a time"
	@$(RUN)/python tools/mutate.py

lint: $(READY) ## ruff and mypy
	@echo "lint: ruff check, ruff format, mypy"
	@$(RUN)/ruff check --quiet
	@$(RUN)/ruff format --quiet --check
	@$(RUN)/mypy --no-error-summary

format: $(READY) ## format the code
	@echo "format: ruff"
	@$(RUN)/ruff format
	@$(RUN)/ruff check --fix

clean: ## remove the environment and what the tools left; the cache of Neo4j stays
	@echo "clean: $(VENV) and the caches of the tools"
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The first of these that works and is new enough; a shim of a version manager may be there and not work.
$(READY): pyproject.toml requirements-dev.txt
	@python=; \
	for candidate in python3.13 python3.12 python3.11 python3; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "neokeep needs Python 3.11 or newer, and there is none on PATH. Install it, for example: apt-get install python3.11" >&2; exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot make virtual environments. Install its venv package, for example: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	echo "setting up $(VENV) with $$($$python --version)"; \
	[ -x $(RUN)/python ] || $$python -m venv $(VENV)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check -e '.[cloud,sftp,distributed,lab]' -c requirements-dev.txt
	@touch $(READY)
