"""Latents and clinical values into a risk."""
