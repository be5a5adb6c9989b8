"""Benches: figures with limits, each beside a reference measured in the same run. Never part of the tests."""
