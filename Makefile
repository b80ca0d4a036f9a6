# `make help` lists the targets. Everything is set up in .venv; nothing needs activating.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
# Empty for a development build.
PROFILE ?= --release

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup:
	@.ci/setup

.PHONY: demo
demo: setup ## Build, and run the updater twice against the sandbox: no key, no network
	@$(PY) -m updaters.demo

.PHONY: test
test: setup ## Run the Rust tests, then the Python tests
	@.ci/browser
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked; else cargo test --locked; fi
	@$(PY) -m pytest

.PHONY: dev
dev: ## Set up .venv and build the extension (development profile)
	@.ci/setup && echo "Ready: source .venv/bin/activate"

.PHONY: release
release: ## Set up .venv and build the extension as it is shipped (slow to build, fast to run)
	@.ci/setup --release && echo "Ready: source .venv/bin/activate"

.PHONY: wheel
wheel: setup ## Build a wheel into dist/
	@.venv/bin/maturin build --quiet $(PROFILE) --out dist

.PHONY: lint
lint: setup ## Format, then check both languages
	@cargo fmt
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
	@PYO3_PYTHON=$(PWD)/$(PY) cargo clippy --locked --all-targets --all-features -- -D warnings
	@.venv/bin/mypy

.PHONY: soak
soak: setup ## Kill the updater everywhere, for TIME=600 seconds (SEED=... repeats); then the other soaks
	@$(PY) tests/soak.py --seconds $(or $(TIME),600) $(if $(SEED),--seed $(SEED))
	@SOAK_ROUNDS=$(or $(ROUNDS),200) $(PY) -m pytest -q $(wildcard tests/test_soak_*.py)

.PHONY: docs
docs: setup ## Write the pages of the settings and the commands anew
	@$(PY) docs/generate.py

.PHONY: bench
bench: ## Measure the updater end to end, on a release build
	@.ci/setup --release
	@$(PY) benches/run.py

.PHONY: clean
clean: ## Remove what the build made (not your database, not logs)
	@rm -rf target dist .venv python/updaters/*.so .pytest_cache .mypy_cache .ruff_cache
