# One command each. Needs Python 3.11+, git and make; everything else is installed here, locked.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
export PATH := $(abspath $(dir $(UV))):$(PATH)

.PHONY: help demo up down test browser faults check fix bench docs lock setup

help: ## list the commands
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## start everything, then watch a model retrain itself on real flights
	$(BIN)/tropism demo

up: setup ## start the local cloud, Prefect, the workers and the deployments
	$(BIN)/tropism up

down: ## stop all of it
	$(BIN)/tropism down

test: setup ## run the tests
	$(PYTEST) -m "not faults" --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

# Root on Debian can have one without a question; whoever cannot is told so by the tests that need it, which skip.
browser: ## install a browser that the tests of pages look with
	@for name in "$${TROPISM_BROWSER:-}" chromium chromium-browser google-chrome google-chrome-stable chrome; do \
		if [ -n "$$name" ] && command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release; then \
		echo "Installing Chromium, for the tests of pages (a minute, once)."; \
		{ timeout 300 apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 \
			apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 \
			|| echo "Chromium could not be installed; the tests that need a browser skip."; \
	fi

faults: setup browser ## kill, repeat and restart things, play the demo twice, look at pages (two hours)
	$(PYTEST) -m faults

check: setup ## lint, types, import contracts, deployments, the stack
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cfn-lint deployments/aws/*.yaml
	$(BIN)/python -m deployments.manifest

fix: setup ## mend what a tool can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## print the benchmark tables
	for script in benchmarks/*.py; do $(BIN)/python "$$script"; done

docs: setup ## regenerate the reference pages and tables
	$(BIN)/python -m cli.reference
	$(BIN)/python -m deployments.event_page
	$(BIN)/python -m tasks.suite_table
	$(BIN)/python -m cli.product_schema

lock: $(UV) ## resolve the dependencies anew
	$(UV) lock

setup: .venv/.synced

# Bytecode is compiled at once: imports are half of every short run.
.venv/.synced: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --quiet --compile-bytecode
	@touch $@

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
