"""Tests that break things under load, and the checker that judges what came of it."""
