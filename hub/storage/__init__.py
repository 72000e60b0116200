"""Keeps what was said, decided and done: one schema on SQLite and PostgreSQL. Only this package imports SQLAlchemy."""
