//! fleet.csv → units, or every bad row at once.
