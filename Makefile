# How this program is built, run and tested. `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: help install install-dev run lint types front picture test coverage nightly bench crash size axe sure lock clean

PY := .venv/bin/python
# Two at a time: more only take turns on a small machine.
PYTEST := $(PY) -m pytest -n 2

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## .venv, packages and front end; does only what is missing
	@tools/install runtime

install-dev:  ## the same, and what tests and checks need
	@tools/install dev

run: install  ## start Leadline; DEMO=1 fills it with believable visitors
	@$(if $(filter-out 0,$(DEMO)),DEMO_MODE=true )$(PY) main.py

# Counting the lines of everything would make it half as long again: see "coverage".
test: install-dev  ## all tests but the nightly ones; every branch of engine/ must be tried
	@$(PYTEST) --cov=engine --cov-report= --cov-fail-under=0
	@$(PY) -m coverage report --include='engine/*' --fail-under=100

coverage: install-dev  ## how much of the code all tests but the nightly ones cover
	@$(PYTEST) --cov --cov-report= --cov-fail-under=0
	@$(PY) -m coverage report
	@$(PY) -m coverage report --include='engine/*' --fail-under=100

nightly: install-dev  ## the tests that take minutes
	@$(PY) -m pytest -m nightly || { test $$? -eq 5 && echo "There are no nightly tests yet."; }

bench: install-dev  ## how fast it is, as a table
	@if [ -e tests/bench.py ] || [ -e tests/bench/__main__.py ]; then $(PY) -m tests.bench; \
	else echo "There is nothing to measure yet: the table comes with a later version."; fi

crash: install-dev  ## what is lost when servers die under load, as a table
	@$(PY) -m tests.crash

size: install-dev  ## what the widget weighs, beside its limit
	@$(PY) -m tests.browser.size

axe: install-dev  ## what axe finds at every step, light and dark, in both directions, as a table
	@$(PY) -m tests.browser.axe

lint: install-dev
	@$(PY) -m black --check --quiet . || $(PY) -m black --check .
	@$(PY) -m flake8

types: install-dev
	@$(PY) -m mypy

front: install-dev  ## the front end's types and tests
	@tools/build-frontend check

picture: install-dev  ## only the test of who may import what
	@$(PY) -m pytest -q tests/architecture

sure: lint types front test  ## form, types, front end, import picture and tests, as CI does

lock: install-dev  ## write requirements.lock again after a change of the requirements
	@tools/lock

clean:  ## remove what was installed and built; data stays
	@rm -rf .venv .mypy_cache .pytest_cache .hypothesis .coverage htmlcov frontend/node_modules
