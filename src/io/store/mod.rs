//! SQLite: one writer, one transaction per batch.
