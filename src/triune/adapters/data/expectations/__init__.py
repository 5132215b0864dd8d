"""Evaluates suites of expectations on tables, with DuckDB, without Great Expectations."""
