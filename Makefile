# One command each, from a fresh checkout: every target first makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install run test lint bench verify memory sweep dieharder mutation clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo 'making the environment in $(VENV): about a minute'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

run: install
	mkdir -p results
	@echo 'the first run compiles its kernels: about half a minute'
	$(BIN)/simcore run phase1 -n 20000 --seed 2005 -o results/phase1.h5
	$(BIN)/simcore summary results/phase1.h5 --figure results/phase1_funnel.png

# One process per processor, a file of tests never in two of them.
test: install
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/simcore bench

verify: install
	$(BIN)/simcore verify --long
	$(BIN)/python -m pytest tests/statistical tests/faults tests/unit/benchmarks -m long

# Peak memory of 10,000 and of 1,000,000 replicates; minutes, and 2 GB of disk here while it runs.
memory: install
	$(BIN)/python -m tests.verification.peak_memory

# The tests that use chance, under other seeds; before a release.
SEEDS ?= 1 2 3 4 5
sweep: install
	for seed in $(SEEDS); do \
		SIMCORE_TEST_SEED=$$seed $(BIN)/python -m pytest tests/statistical tests/property tests/twin || exit 1; \
	done

# The generator's streams through the battery of that name (a Debian package); a day. ORDERS and TESTS choose some.
dieharder: install
	$(BIN)/python -m tests.verification.dieharder $(if $(ORDERS),--orders $(ORDERS)) $(if $(TESTS),--tests $(TESTS))

# Mutation check of the kernels; hours on one core. FILES chooses some, SAMPLE takes so many mutants at random.
mutation: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	nice -n 19 $(BIN)/python -m tests.mutation $(FILES) $(if $(SAMPLE),--sample $(SAMPLE))

clean:
	rm -rf results .pytest_cache .ruff_cache .mypy_cache
