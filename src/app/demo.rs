//! The whole thing in one process, telling its story.
