# One command each, from a fresh checkout: every target first makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install run test lint bench verify clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo 'making the environment in $(VENV): about a minute'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

run: install
	mkdir -p results
	@echo 'the first run compiles its kernels: about 20 seconds'
	$(BIN)/simcore run phase1 -n 20000 --seed 2005 -o results/phase1.h5
	$(BIN)/simcore summary results/phase1.h5 --figure results/phase1_funnel.png

test: install
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks

verify: install
	$(BIN)/simcore verify --long

clean:
	rm -rf results .pytest_cache .ruff_cache .mypy_cache
