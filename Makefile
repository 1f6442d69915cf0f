# `make run` serves the filled demo on this machine, `make test` runs every check there is.
# The first use of a target sets up .venv by itself; nothing else needs installing for `make run`.

PY := .venv/bin/python
RUN := @.ci/bootstrap run &&
DEV := @.ci/bootstrap dev &&

.DEFAULT_GOAL := help
.PHONY: help run web worker backends reset shell test lint format types imports deploy migrations \
	messages catalogues test-sqlite test-postgres test-browser postgres bench-sheets bench-audit \
	bench-exports bench-history bench-kept bench-masking bench-refunds mutate-masking fuzz-masking soak-jobs soak-refunds soak-race soak-login soak-policy soak-walk soak-import soak-sheets soak-undo soak-killed fuzz-sheets fuzz-api fuzz-approvals audit wheel lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

run: ## set up, fill and serve the demo: web, worker and the three demo backends
	$(RUN) exec $(PY) manage.py serve

web: ## the web server alone
	$(RUN) exec $(PY) manage.py serve web

worker: ## the worker alone
	$(RUN) exec $(PY) manage.py serve worker

backends: ## the three demo backends alone
	$(RUN) exec $(PY) manage.py serve backends

reset: ## throw the demo's data away (on DATABASE_URL: CONFIRM=1)
	$(RUN) exec $(PY) manage.py demo --reset $(if $(CONFIRM),--confirm)

shell: ## a Python shell with the models
	$(RUN) exec $(PY) manage.py shell

test: ## every check and every test, on both databases and in a browser
	$(DEV) exec $(PY) .ci/test

lint: ## ruff: rules and format
	$(DEV) $(PY) .ci/test lint

format: ## let ruff mend what it can
	$(DEV) .venv/bin/ruff check --fix-only --quiet . && .venv/bin/ruff format .

types: ## mypy, strict
	$(DEV) $(PY) .ci/test types

imports: ## the import order of docs/architecture.md
	$(DEV) $(PY) .ci/test imports

deploy: ## Django's checks on production settings
	$(DEV) $(PY) .ci/test deploy

migrations: ## models and migrations agree
	$(DEV) $(PY) .ci/test migrations

messages: ## bring the message catalogues in line with code and templates, and compile them
	$(DEV) $(PY) .ci/catalogues

catalogues: ## translations compile
	$(DEV) $(PY) .ci/test catalogues

test-sqlite: ## pytest on SQLite
	$(DEV) exec $(PY) .ci/test sqlite

test-postgres: ## pytest on a PostgreSQL 18 of its own
	$(DEV) exec $(PY) .ci/test postgres

test-browser: ## the journeys in a real Chromium, on both databases
	$(DEV) exec $(PY) .ci/test browser browser-postgres

postgres: ## `make run` on a PostgreSQL 18 that lives as long as it does
	$(DEV) exec $(PY) .ci/postgres $(PY) manage.py serve

audit: ## what we stand on: advisories, bandit, licences, a bill of materials in var/audit
	$(DEV) exec $(PY) .ci/audit

bench-history: ## what the history of 20,000 rows costs
	$(DEV) exec $(PY) -m pytest -q -n0 -s tests/benchmarks/bench_history.py

bench-exports: ## exports beside stock django-import-export, on both databases: ROWS=100000 LONG=1000000
	$(DEV) { bad=0; $(PY) -m pytest -q -n0 -s tests/benchmarks/bench_exports.py || bad=1; $(PY) .ci/postgres $(PY) -m pytest -q -n0 -s tests/benchmarks/bench_exports.py || bad=1; exit $$bad; }

bench-kept: ## pages, joins and charts of large kept sheets, on both databases: ROWS=541909 JOINED=100000
	$(DEV) { bad=0; $(PY) -m pytest -q -n0 -s tests/benchmarks/bench_kept.py || bad=1; $(PY) .ci/postgres $(PY) -m pytest -q -n0 -s tests/benchmarks/bench_kept.py || bad=1; exit $$bad; }

bench-sheets: ## import the workbook: seconds and memory; 100,000 rows beside import-export, on both databases
	$(DEV) { bad=0; $(PY) tests/benchmarks/bench_sheets.py || bad=1; $(PY) tests/benchmarks/sheets_speed.py || bad=1; $(PY) .ci/postgres $(PY) tests/benchmarks/sheets_speed.py || bad=1; exit $$bad; }

soak-jobs: ## kill workers at random moments: KILLS=200 DATABASES=sqlite,postgres
	$(DEV) exec $(PY) tests/soak/soak_jobs.py --kills $(or $(KILLS),200) --databases $(or $(DATABASES),sqlite,postgres)

soak-refunds: ## refunds with faults by lot, workers killed, PostgreSQL restarted: REFUNDS=10000 DATABASES=sqlite,postgres
	$(DEV) exec $(PY) tests/soak/soak_refunds.py --refunds $(or $(REFUNDS),10000) --databases $(or $(DATABASES),sqlite,postgres)

soak-race: ## eight processes ask for more than was captured, on both databases, also at a lenient gateway: RACES=5
	$(DEV) export RACES=$(or $(RACES),5) && $(PY) -m pytest -v -n0 -k test_15 tests/payments/faults/test_14_15_races.py && $(PY) .ci/postgres $(PY) -m pytest -v -n0 -k test_15 tests/payments/faults/test_14_15_races.py

soak-login: ## bad log-ins against eight processes: TRIES=10000 DATABASES=sqlite,postgres
	$(DEV) exec $(PY) tests/soak/soak_login.py --tries $(or $(TRIES),10000) --databases $(or $(DATABASES),sqlite,postgres)

soak-policy: ## who may do what, drawn by lot: all surfaces agree: SAMPLES=10000 POLICY_SEED=1
	$(DEV) exec env BACKOFFICE_LOG_LEVEL=CRITICAL SAMPLES=$(or $(SAMPLES),10000) POLICY_SEED=$(or $(POLICY_SEED),20260101) $(PY) -m pytest -q -n0 -s -p no:logging tests/soak/soak_policy.py

soak-walk: ## everybody goes everywhere alone, and every list is asked every question, on both databases; a browser opens every page
	$(DEV) export BACKOFFICE_WHOLE=1 && $(PY) -m pytest -q -n auto tests/walker tests/browser/test_policy.py && $(PY) .ci/postgres $(PY) -m pytest -q -n auto tests/walker

soak-sheets: ## all 541,909 rows of Online Retail, and Olist, through the pages: FILES=quarter,csv,quarter-xlsx,xlsx,olist DATABASES=sqlite,postgres
	$(DEV) exec $(PY) tests/soak/soak_sheets.py --files $(or $(FILES),quarter,csv,quarter-xlsx,xlsx,olist) --databases $(or $(DATABASES),sqlite,postgres)

soak-import: ## the workbook on both databases, whole, sheet after sheet and again, and again in a browser
	$(DEV) export BACKOFFICE_WHOLE=1 && $(PY) -m pytest -q -n auto tests/orders/test_sheets.py tests/browser/test_import.py && $(PY) .ci/postgres $(PY) -m pytest -q -n auto tests/orders/test_sheets.py

soak-undo: ## a large import is undone, some rows edited since, workers killed: ROWS=100000 KILLS=10 DATABASES=sqlite,postgres
	$(DEV) exec $(PY) tests/soak/soak_undo.py --strict --rows $(or $(ROWS),100000) --kills $(or $(KILLS),10) --databases $(or $(DATABASES),sqlite,postgres)

soak-killed: ## imports of each way and their checks, killed (-9) before any statement, on both databases: ROUNDS=20
	$(DEV) export KILLED_ROUNDS=$(or $(ROUNDS),20) KILLED_SEED=$$(date +%s) && $(PY) -m pytest -q -n0 tests/sheets/test_killed.py && $(PY) .ci/postgres $(PY) -m pytest -q -n0 tests/sheets/test_killed.py

fuzz-sheets: ## files and rows by chance on both databases, from upload to undo: no crash, no file left, values as an oracle says: MINUTES=60
	$(DEV) { export BACKOFFICE_WHOLE=1 FUZZ_MINUTES=$(or $(MINUTES),60); $(PY) -m pytest -q -n0 -s tests/sheets/test_fuzz.py tests/sheets/test_fuzz_values.py tests/sheets/test_attacks.py tests/sheets/test_awkward.py; one=$$?; $(PY) .ci/postgres $(PY) -m pytest -q -n0 -s -k "imports_of or values_of" tests/sheets/test_fuzz.py tests/sheets/test_fuzz_values.py && exit $$one; }

fuzz-api: ## schemathesis over the whole API on both databases: EXAMPLES=100
	$(DEV) export BACKOFFICE_FUZZ_EXAMPLES=$(or $(EXAMPLES),100) && $(PY) -m pytest -q -n0 tests/project/test_api_fuzz.py && $(PY) .ci/postgres $(PY) -m pytest -q -n0 tests/project/test_api_fuzz.py

fuzz-approvals: ## clicks of six people in any order: nothing runs against its rule, or twice: EXAMPLES=2000
	$(DEV) export APPROVAL_EXAMPLES=$(or $(EXAMPLES),2000) && $(PY) -m pytest -q -n auto tests/approvals/test_machine.py && $(PY) .ci/postgres $(PY) -m pytest -q -n auto tests/approvals/test_machine.py

bench-masking: ## what masks cost, on both databases: a list at most 1.15 x plain, loading at most 2 x
	$(DEV) $(PY) -m pytest -q -n0 -s tests/benchmarks/bench_masking.py && $(PY) .ci/postgres $(PY) -m pytest -q -n0 -s tests/benchmarks/bench_masking.py

mutate-masking: ## take each protection of personal data away in turn: the tests have to notice (ONLY=part of a name)
	$(DEV) exec $(PY) tests/mutation/mutate_masking.py --only "$(ONLY)"

fuzz-masking: ## requests by chance on two states that differ in hidden values only: EXAMPLES=2000
	$(DEV) export BACKOFFICE_EXAMPLES=$(or $(EXAMPLES),2000) && $(PY) -m pytest -q -n0 tests/walker/test_differential.py && $(PY) .ci/postgres $(PY) -m pytest -q -n0 tests/walker/test_differential.py

bench-refunds: ## from the click on Approve to "Refunded" in a browser, on both databases: less than 2 s, the median of three
	$(DEV) export BACKOFFICE_BENCH=1 && $(PY) -m pytest -q -n0 -k follows tests/browser/test_refunds.py && $(PY) .ci/postgres $(PY) -m pytest -q -n0 -k follows tests/browser/test_refunds.py

bench-audit: ## a million events on both databases: seal, verify, pages
	$(DEV) $(PY) tests/benchmarks/bench_audit.py && $(PY) .ci/postgres $(PY) tests/benchmarks/bench_audit.py

wheel: ## build dist/django_backoffice-*.whl, the framework without the project
	$(DEV) exec $(PY) -m build --wheel --no-isolation .

lock: ## resolve pyproject.toml anew, pinned and hashed, without addresses
	$(DEV) exec .ci/lock

clean: ## take away what the tools left behind (not the data)
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist var/test
