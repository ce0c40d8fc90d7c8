"""Batches: from stored volumes and feature tables to what LightningModules eat."""
