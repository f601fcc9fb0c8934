# Set-up runs automatically, when something has changed: scripts/setup.py. Another Python: make run PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run flask test test-pythons check chaos bench shots lock setup-run setup-dev
.DEFAULT_GOAL := help

help:
	@echo 'make run    запустить всё на этой машине: http://127.0.0.1:8000 (порты: PORT, SANDBOX_PORT)'
	@echo 'make flask  команда администратора: make flask ARGS="users plan ПОЧТА pro"'
	@echo 'make test   тесты (часть: make test ARGS="-k telegram")'
	@echo 'make test-pythons  главное на остальных Python этой машины: 3.11, 3.12, 3.13'
	@echo 'make check  линтер, оформление, направление импортов, секреты в файлах, уязвимости пакетов'
	@echo 'make chaos  несколько минут всё ломается, а публикации выходят: SEED=…, PUBLICATIONS=…, VK_ROUTE=…, DATABASE_URL=postgresql'
	@echo 'make shots  снимки каждой страницы, телефон и компьютер, светлая и тёмная тема: var/shots'
	@echo 'make bench  замеры в docs/benchmarks.md (часть: make bench ARGS="upload tus"; проба: make bench ARGS=--small)'
	@echo 'make lock   пересобрать закреплённые версии (обновить: make lock ARGS=--upgrade)'

run: setup-run
	@$(BIN)/python run.py

flask: setup-run
	@$(BIN)/python run.py flask $(ARGS)

# More processes than cores: many tests wait (for a poll, a pause, a browser). Modules are compiled once before, a half by
# each core, not by every process at the same time, and that is kept, whatever the environment says.
COMPILE := $(BIN)/python -m pytest --collect-only -qq
test: export PYTHONDONTWRITEBYTECODE :=
test: setup-dev
	@{ $(if $(ARGS),$(COMPILE) $(ARGS),$(COMPILE) tests/[a-q]*/ & $(COMPILE) tests/[r-z]*/ tests/test_*.py; wait); } >/dev/null 2>&1 || true
	@$(BIN)/python -m pytest -n 5 --dist loadscope --no-loadscope-reorder $(ARGS)

# The tests that depend on the Python version most, on SQLite only: SQL does not depend on it. A venv for each: .venv-3.12
MAIN_TESTS := tests/media tests/publishing/test_engine.py tests/publishing/test_worker.py tests/web/test_fuzz.py \
	tests/web/test_tenants.py tests/web/test_uploads.py tests/web/test_auth.py tests/journeys/test_main_job.py
test-pythons: setup-dev
	@$(BIN)/python scripts/pythons.py | while read -r version path; do \
		TEST_DATABASE=sqlite $(MAKE) --no-print-directory test PYTHON=$$path VENV=.venv-$$version ARGS='$(MAIN_TESTS)' </dev/null || exit 1; \
	done

check: setup-dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/scan_secrets.py
	@$(BIN)/python scripts/audit.py

shots: setup-dev
	@$(BIN)/python scripts/shots.py $(ARGS)

chaos: setup-dev
	@$(BIN)/python -m tests.chaos

bench: setup-dev
	@$(BIN)/python -m bench $(ARGS)

setup-run setup-dev: setup-%:
	@python=$(PYTHON); $$python -c '' 2>/dev/null || python=$$(python3 scripts/pythons.py $(PYTHON) 2>/dev/null) || \
		{ echo 'Нужен Python 3.11 или новее. Debian и Ubuntu: apt install python3 python3-venv' >&2; exit 1; }; \
	$$python scripts/setup.py $* $(VENV)

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' $(ARGS)
lock: setup-dev
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements.in requirements-dev.in -o requirements-dev.txt
	$(LOCK) scripts/requirements-setup.in -o scripts/requirements-setup.txt
	$(LOCK) scripts/requirements-node.in -o scripts/requirements-node.txt
	npm install --ignore-scripts --package-lock-only
