"""The steps of a study. A step is a frozen dataclass whose fields are all that it depends on; no step reads a
configuration."""
