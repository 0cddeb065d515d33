"""Seeded stand-ins."""
