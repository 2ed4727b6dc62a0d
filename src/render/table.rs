//! Rows → tables for people, 80 columns wide.
