# What one does with this project. `make run` needs only Python 3.11 to 3.13 and make.

PYTHON ?= python3
PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run dev serve test test-long test-spark lint types docs docs-check examples picture bench bench-small

COG := $(BIN)/cog -I . -p "from docs import tables" --verbosity=1

run: $(VENV)/running ## attribute a sample database (or yours: make run ATTRIBUTION_DATABASE=FILE)
	@test -n "$$ATTRIBUTION_DATABASE" || grep -qs ATTRIBUTION_DATABASE .env || test -e data/attribution.db || \
	    $(BIN)/attribution sample-data
	$(BIN)/attribution run

dev: $(VENV)/running ## the Dagster UI on the same database, at http://127.0.0.1:3000 (another port: make dev PORT=3001)
	@home=$$($(BIN)/attribution home) && \
	    DAGSTER_HOME="$$home" VIRTUAL_ENV="$(CURDIR)/$(VENV)" PATH="$(abspath $(BIN)):$$PATH" dg dev --port $(PORT)

serve: $(VENV)/running ## the web application on the same database, at http://127.0.0.1:8000 (another port: make serve PORT=8001)
	$(BIN)/attribution serve --port $(if $(filter file,$(origin PORT)),8000,$(PORT))

test test-long test-spark: export PYTHONDONTWRITEBYTECODE = # what is compiled once serves every process of the tests

test: $(VENV)/installed ## every test; what is long by nature in a short form
	$(BIN)/pytest -n 4 --dist loadgroup

test-long: $(VENV)/installed ## every test, with the long series and all parameters
	$(BIN)/pytest -n 4 --dist loadgroup --long

SPARK_TESTS = any_database or challenge or executors or moves or without_rows

test-spark: $(VENV)/installed .venv-spark/installed ## a Spark of two cores against an SQLite file; all of its tests: make test-spark SPARK_TESTS=test
	$(BIN)/pytest attribution_assets_tests/spark --spark start -k '$(SPARK_TESTS)'

lint: $(VENV)/installed
	$(BIN)/ruff check && $(BIN)/ruff format --check

types: $(VENV)/installed
	$(BIN)/mypy && $(BIN)/mypy docs/*.py

docs: $(VENV)/installed ## the tables in the documentation that follow from the code, in place
	$(COG) -r README.md docs/*.md docs/origins/*.md

docs-check: $(VENV)/installed ## fails where they no longer do
	$(COG) --check --diff --check-fail-msg="Run 'make docs' and commit what it changes." README.md docs/*.md docs/origins/*.md

examples: $(VENV)/installed ## the examples in the API's document, as a server answers over the sample of the tests
	$(BIN)/python -m attribution_assets_tests.web.examples

picture: $(VENV)/installed ## the picture of the report in the README
	folder=$$(mktemp -d) && cd $$folder && export PATH="$(CURDIR)/$(BIN):$$PATH" DAGSTER_HOME=$$folder COLUMNS=100 && \
	    attribution sample-data --database shop.db --end 2023-09-30 && \
	    script --quiet --return --command "attribution run --database shop.db --exports exports 2>/dev/null" /dev/null \
	    | python $(CURDIR)/docs/picture.py $$folder > $(CURDIR)/docs/report.svg

bench: $(VENV)/installed .venv-bench/installed ## this project and its contenders, up to ten million sessions, into docs/benchmarks.md
	.venv-bench/bin/python benchmarks/speed/bench.py --write
	.venv-bench/bin/python benchmarks/models.py --write
	$(BIN)/python benchmarks/importing.py --write
	$(BIN)/python benchmarks/spend.py --write
	$(BIN)/python benchmarks/funnel.py --write
	$(BIN)/python benchmarks/web.py --write

bench-small: $(VENV)/installed .venv-bench/installed ## the same on 100,000 sessions, once, to see that it runs and that all agree
	.venv-bench/bin/python benchmarks/speed/bench.py --sizes 100000 --rounds 1
	.venv-bench/bin/python benchmarks/models.py --journeys 10000 --rounds 1
	$(BIN)/python benchmarks/importing.py --rows 10000 --rounds 1
	$(BIN)/python benchmarks/spend.py --rows 10000 --rounds 1
	$(BIN)/python benchmarks/funnel.py --rows 10000 --rounds 1
	$(BIN)/python benchmarks/web.py --sessions 10000 --rounds 1

.venv-bench/installed: benchmarks/speed/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# What a Spark of one's own needs, and what its executors do. Its package owns the folder of the client's, so it is apart.
.venv-spark/installed: constraints.txt
	$(PYTHON) -m venv .venv-spark
	.venv-spark/bin/pip install --disable-pip-version-check --constraint $< 'pyspark[connect]' pydantic
	@touch $@

INSTALL = $(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable

$(VENV)/running: pyproject.toml constraints.txt ## what run and dev need
	@echo "Installing into $(VENV), once. This takes about a minute."
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[ui,web]'
	@touch $@

$(VENV)/installed: $(VENV)/running ## what tests, linters and the documentation need as well
	$(INSTALL) '.[dev]'
	@touch $@
