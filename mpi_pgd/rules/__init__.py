"""What is done with the reduced sums: each rule turns them into the next order (see ``mpi_pgd.train.Rule``)."""
