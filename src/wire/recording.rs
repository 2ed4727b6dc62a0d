//! Recordings: JSON lines, the one format for replay, backtest, tests and bug reports.
