"""Prices: one small table of facts, served by two AWS APIs."""
