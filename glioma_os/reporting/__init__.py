"""From the runs of a study to what a person looks at."""
