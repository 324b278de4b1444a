#!/usr/bin/env bash
# From a table to an answer: bash examples/houses.sh [FOLDER]
set -euo pipefail
table=$(realpath "$(dirname "$0")/houses.csv") # made up: 400 houses, the rooms of some not known
cd "${1:-.}"
python -m mpi_pgd data convert "$table" houses.h5 --target price --missing mean
python -m mpi_pgd data split houses.h5 train.h5 test.h5
mpirun -n 4 python -m mpi_pgd train.h5 --validate test.h5 --out result
mpirun -n 4 python -m mpi_pgd predict result "$table" prices.csv
python -m mpi_pgd report result
