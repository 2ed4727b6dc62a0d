//! A recording through the engine, in virtual time.
