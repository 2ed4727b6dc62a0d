//! The judge against batteries that it has never seen.

mod accuracy;
mod cells;
mod dice;

mod behaviour;
mod weeks;
