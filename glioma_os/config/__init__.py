"""What a configuration may hold: one frozen dataclass a component, checked types, and the registry of classes."""
