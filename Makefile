# What is behind each target is in docs/install.md; none is needed by those who have an environment of their own.
# PYTHON: any Python >= 3.11 that can make a virtual environment. ARGS: more arguments for the program or for pytest.

SHELL = bash
.SHELLFLAGS = -o pipefail -c
PYTHON ?= python3
RANKS ?= 4
PEERS ?= scipy glum torch==2.13.0

KERNEL = setup.py $(wildcard mpi_pgd/kernel/source/*)

.PHONY: help run kernel test chaos mutants lint docs lecture bench dist clean
.DELETE_ON_ERROR:
# Two installs at once would write the same files: of one environment, and of the package's own folder.
.NOTPARALLEL:

help:
	@echo 'make run    install into .venv and fit the shipped data on $(RANKS) ranks  (RANKS=N, ARGS="--mode peer-to-peer")'
	@echo 'make kernel compile the kernel again, in mpi_pgd/kernel'
	@echo 'make test   install beside MPICH and Open MPI, and run the tests  (ARGS="-k launch", ARGS="-m thorough")'
	@echo 'make chaos  kill ranks, jobs and nodes at random, fill disks, damage files  (ARGS="--kills 20")'
	@echo 'make mutants make mistakes in a copy of the package, and see that the tests find each  (ARGS="solvers")'
	@echo 'make lint   style, types, and which module may import which'
	@echo 'make docs   the documentation, in docs/_build/html; a warning is an error'
	@echo 'make lecture the figures of docs/lecture, measured on this machine, and the documentation with them  (ARGS="gd network")'
	@echo 'make bench  the speed of a round beside the machine and beside other programs, in docs/speed.md  (ARGS="dense loading")'
	@echo 'make dist   the wheel and the source distribution, in dist/'
	@echo 'make clean  remove what these made'
	@echo 'With another Python: make run PYTHON=python3.12'

run: .venv/run.stamp
	PATH="$(CURDIR)/.venv/bin:$$PATH" mpirun -n $(RANKS) python -m mpi_pgd $(ARGS) | tee .venv/run.out
ifeq ($(strip $(ARGS)),)
	@if grep -qxF "$$(grep '^weights ' README.md)" .venv/run.out; then echo "fingerprint  the README's, as on every machine"; \
	else echo "fingerprint  not the README's: was the kernel compiled? docs/install.md says how to have it"; fi
endif

kernel:
	$(PYTHON) setup.py -q build_ext --inplace

test: .venv/test.stamp .venv-openmpi/test.stamp
	.venv/bin/python -m pytest $(ARGS)

chaos: .venv/test.stamp .venv-openmpi/test.stamp
	.venv/bin/python -m tests.chaos $(ARGS)

mutants: .venv/test.stamp
	.venv/bin/python -m tests.mutants $(ARGS)

lint: .venv/lint.stamp
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy --strict mpi_pgd
	.venv/bin/lint-imports

docs: .venv/docs.stamp
	.venv/bin/python -m sphinx -W --keep-going -n -q docs docs/_build/html
	@echo docs/_build/html/index.html

lecture: .venv/lecture.stamp .venv-openmpi/run.stamp
	.venv/bin/python docs/lecture/measure.py $(ARGS)
	.venv/bin/python -m sphinx -W --keep-going -n -q docs docs/_build/html
	@echo docs/_build/html/lecture/index.html

bench: .venv-peers/peers.stamp
	.venv-peers/bin/python benchmarks/speed.py --write $(ARGS)

dist: .venv/run.stamp
	rm -rf build dist
	.venv/bin/python -m pip install --quiet --disable-pip-version-check build
	.venv/bin/python -m build --outdir dist . >/dev/null
	@ls dist/*

clean:
	rm -rf .venv .venv-openmpi .venv-peers build dist mpi_pgd/kernel/*.so docs/_build docs/lecture/made *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name .git -prune -o -name __pycache__ -prune -exec rm -rf {} +

.venv/run.stamp .venv-openmpi/run.stamp .venv-peers/run.stamp: setup.cfg pyproject.toml $(KERNEL)
.venv/test.stamp: .venv/run.stamp
.venv-openmpi/test.stamp: .venv-openmpi/run.stamp
.venv/lint.stamp: .venv/test.stamp
.venv/docs.stamp .venv/lecture.stamp: .venv/run.stamp

# The first compiles the kernel; the others add to it what is missing of their extras.
%/run.stamp: WHAT = --editable .
%/test.stamp %/lint.stamp %/docs.stamp %/lecture.stamp: WHAT = mpi_pgd

.venv/run.stamp: EXTRAS = mpich
.venv/test.stamp: EXTRAS = mpich,test
.venv/lint.stamp: EXTRAS = mpich,lint
.venv/docs.stamp: EXTRAS = mpich,docs
.venv/lecture.stamp: EXTRAS = mpich,docs,report
.venv-openmpi/run.stamp: EXTRAS = openmpi
.venv-openmpi/test.stamp: EXTRAS = openmpi,test
.venv-peers/run.stamp: EXTRAS = mpich,report

# pip is asked, not python: an environment whose making failed half-way has the one without the other.
%.stamp:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(@D)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(WHAT)'[$(EXTRAS)]'
	@touch $@

# What can't be installed here is said in the table.
.venv-peers/peers.stamp: .venv-peers/run.stamp
	@for peer in $(PEERS); do \
	    $(@D)/bin/python -m pip install --quiet --disable-pip-version-check $$peer || echo "$$peer can't be installed here"; done
	@touch $@
