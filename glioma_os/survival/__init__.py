"""Survival mathematics: arrays in, numbers out."""
