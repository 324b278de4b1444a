"""Studies of what parallelism costs, and the doctor, which looks before the hours are spent."""
