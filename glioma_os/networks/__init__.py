"""Networks, torch only: no Lightning, no Hydra, no files but weights."""
