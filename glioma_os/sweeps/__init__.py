"""Many jobs: each in its own processes, and one table from all of them."""
