"""Mods."""
