//! Arguments in, text or JSON out. Layer 4.
