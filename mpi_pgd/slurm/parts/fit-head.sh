#!/bin/bash
# A fit.USAGE
# Some time before the limit SLURM sends USR1: the fit ends with what it has by then, and with code 75.
# If SLURM loses a node and queues the job again, it goes on from its checkpoint, to the same bits.
