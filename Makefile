# Everything a newcomer types. `make help` lists it.

# bytecode is kept, whatever the shell says: six processes would compile everything at each start
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= python3
BIN := .venv/bin
CATALOG := app/translations/en/LC_MESSAGES/messages
# two cores are enough for the promises in the README, more are used where they are; two processes
# more than cores, as journeys in the browser wait as long as they compute
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 8 ] && n=8; echo $$((n + 2)))
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help run install test test-deep check check-types check-rest bench lock translations

help: ## list what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

run: .venv/installed $(CATALOG).mo ## run the whole portal with a simulated home (PORT=8000 DATA_DIR=var)
	@exec $(BIN)/python -m demo

install: .venv/installed $(CATALOG).mo ## install what a deployment needs into .venv
	@# who runs the portal may not write here
	$(BIN)/python -m compileall -q .venv/lib app

test: .venv/installed-dev $(CATALOG).mo ## the whole suite, few random examples, in about twelve minutes on two cores
	HYPOTHESIS_PROFILE=few $(PYTEST) -m "not drill"

test-deep: .venv/installed-dev $(CATALOG).mo ## the suite with many random examples, and the fault drills
	HYPOTHESIS_PROFILE=many $(PYTEST) $(ONLY)

check: .venv/installed-dev ## lint, types, layers, templates, translations
	@# types take as long as all the rest: both at a time
	@$(MAKE) --no-print-directory -j2 check-types check-rest

check-types:
	$(BIN)/mypy

check-rest:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint app/templates app/mailing --lint --quiet
	$(BIN)/python scripts/translations.py check

bench: .venv/installed-dev $(CATALOG).mo ## measure against the bare libraries, write bench/latest.json
	$(BIN)/python -m bench

translations: .venv/installed-dev ## gather the strings of code and templates into the English catalogue
	$(BIN)/python scripts/translations.py update

lock: .venv/installed-dev ## pin what requirements*.in ask for, newest versions
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-header requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-header requirements-dev.in -o requirements-dev.txt

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

# bytecode is written as modules are first imported, not for all of them now: half the time
.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -r requirements-dev.txt
	@touch $@

$(CATALOG).mo: $(CATALOG).po | .venv/installed
	@$(BIN)/pybabel --quiet compile --directory app/translations --locale en 2>/dev/null
