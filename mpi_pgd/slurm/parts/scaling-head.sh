#!/bin/bash
# The speedup curve over numbers of nodes: an array with a task for each, one after the other. The last makes a report of all.USAGE
# Some time before the limit SLURM sends USR1: what is measured by then is kept, and the code is 75.
