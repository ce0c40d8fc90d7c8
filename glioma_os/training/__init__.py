"""What surrounds a fit: run directories, checkpoints, guards, provenance, trackers, progress."""
