//! Behaviour in sentences. Time is a number of seconds; the rig advances the engine only when the script says so.

mod laws;
mod lists;
mod notices;
mod orders;
mod outlook;
mod power;
mod presence;
mod rig;
mod thresholds;
