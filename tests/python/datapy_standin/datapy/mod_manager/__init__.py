"""Running mods."""
