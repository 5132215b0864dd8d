# Needs python3 (3.11 to 3.13) and make; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# On this many processes: what the machine has.
JOBS := $(shell nproc 2>/dev/null || echo 2)

.PHONY: help install lock demo check test test-slow bench clean

help: ## Say what there is to make.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED) ## Make .venv with everything for work on the project.

$(INSTALLED): pyproject.toml requirements/bootstrap.lock requirements/dev.lock
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Triune needs Python 3.11 to 3.13; {sys.executable} is {v.major}.{v.minor}. Try make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --compile-bytecode --require-hashes -r requirements/dev.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation -e .
	# Workers, and pytest in a project, write no bytecode: without this they compile ours each time,
	# and pytest, in its own way, all of its plugins.
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m pytest --version --version >/dev/null 2>&1
	@touch $@

lock: install ## Resolve the dependencies anew.
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --extra dvc --extra sklearn --extra onnx --group dev \
	  pyproject.toml -o requirements/dev.lock
	$(BIN)/python requirements/bootstrap.py

demo: install ## Show the main job: good and bad changes, each stopped or let through.
	$(BIN)/triune demo

check: install ## Lint, types, and the contracts between the layers.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install ## Run the tests (a few minutes).
	$(BIN)/pytest -n $(JOBS) -m "not slow"

test-slow: install ## Run the crash, database and example lanes.
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m slow

bench: install ## Print the figures.
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/python benchmarks/delong.py
	$(BIN)/python -m benchmarks.rollouts --runs 100
	$(BIN)/python -m benchmarks.serving

clean: ## Remove what the others made.
	rm -rf $(VENV) build dist .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
