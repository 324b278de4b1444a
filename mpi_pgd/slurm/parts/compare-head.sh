#!/bin/bash
# Which mode and algorithm is better here.USAGE
# Some time before the limit SLURM sends USR1: what is measured by then is kept, and the code is 75.
