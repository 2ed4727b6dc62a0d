//! One mistake in a file: place, reason, remedy. All of a file's mistakes are gathered before any is shown.
