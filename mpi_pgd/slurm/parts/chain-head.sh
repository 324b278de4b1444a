#!/bin/bash
# A fit that may take longer than a job.USAGE
# Some time before the limit SLURM sends USR1: the fit saves a checkpoint and ends with code 75, and the job is queued again.
# Its next run goes on from there to the same bits, on as many nodes as it then gets, until the fit is done.
