"""Retention for people and programs: rules, holds, trials, runs and their certificates."""
