# Each target does its own set-up: .venv is made from requirements/*.txt and renewed when they change.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo up learners test check secrets vulnerable messages bench fmt lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.runtime ## run the portal with two demo partners; prints addresses, logins, a key and a curl line (PORT=8000)
	@exec $(BIN)/python manage.py up --demo --port $(PORT)

up: .venv/.runtime ## run the portal as it is (PORT=8000)
	@exec $(BIN)/python manage.py up --port $(PORT)

learners: .venv/.learners ## add XGBoost, CatBoost and Optuna, for --estimator and --tune

test: .venv/.dev ## run every test (ARGS="tests/portal -x" for a part)
	$(BIN)/python -m pytest -n auto --dist loadgroup $(if $(ARGS),$(ARGS),-m "not alone")
	$(if $(ARGS),,$(BIN)/python -m pytest -m alone)

check: .venv/.dev ## lint, types, import rules, migrations, templates, settings, unsafe calls
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	@find templates -name '*.html' -print0 | xargs -0 -r $(BIN)/djade --target-version 5.2 --check
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/bandit -c pyproject.toml -q -r audit partners portal scoring clients manage.py

secrets: .venv/.dev ## look for secrets that are not in .secrets.baseline; each of those has its reason in docs/security/findings.md
	@$(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline $$(git ls-files -- ':!requirements' ':!static/vendor' ':!locale' ':!docs/img' ':!docs/postman.json') || [ $$? -eq 3 ]

vulnerable: .venv/.dev ## compare the pinned packages with known vulnerabilities; fails for each that could not be looked up
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/runtime.txt
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

messages: .venv/.dev ## bring the catalogues of locale/ up to date with the sources; names what lacks a translation
	$(BIN)/python manage.py makemessages

bench: .venv/.dev ## measure against peers in one run; writes bench/results.json
	$(BIN)/python -m bench

fmt: .venv/.dev ## put imports and templates in order
	$(BIN)/ruff check --fix .
	@find templates -name '*.html' -print0 | xargs -0 -r $(BIN)/djade --target-version 5.2

lock: .venv/.dev ## pin the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --extra learners -c requirements/runtime.txt -o requirements/learners.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --extra dev --extra learners -c requirements/learners.txt -o requirements/dev.txt

clean: ## remove .venv and caches; keeps .vouch, where the data is
	rm -rf .venv bench/peers/.venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis staticfiles
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/.runtime: requirements/runtime.txt requirements/bootstrap.txt requirements/install
	@requirements/install requirements/runtime.txt
	@touch $@

.venv/.learners: requirements/learners.txt requirements/bootstrap.txt requirements/install
	@requirements/install requirements/learners.txt
	@touch .venv/.runtime $@

.venv/.dev: requirements/dev.txt requirements/bootstrap.txt requirements/install
	@requirements/install requirements/dev.txt
	@touch .venv/.runtime .venv/.learners $@
