//! Every decision. Pure: no clock, no I/O, no async, no randomness, no HashMap iteration. Layer 1.
