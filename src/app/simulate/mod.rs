//! A fleet of simulated units: a pure seeded model of what they say ([`World`]), a script of what goes wrong
//! ([`Scenario`]), and real MQTT clients that act it out ([`run`]). Never judges: what it knows of the truth is for tests.
//!
//! ```text
//! scenario.toml ──check_scenario──▶ Scenario ─┐
//! fleet ──────────────────────────────────────┼─▶ World ──┬─▶ run            one MQTT client per unit, real time × speed
//! seed ───────────────────────────────────────┘ (virtual) ├─▶ write_recording  JSON lines for replay
//!                                                         └─▶ next            the fault campaign, in seconds
//! ```

mod battery;
mod chance;
mod clients;
mod fault;
mod load_shedding;
mod payload;
mod recording;
mod report;
mod scenario;
mod scenario_file;
mod unit;
mod weather;
mod world;

pub use clients::{
    Control, Report, SimulateError, SimulateOptions, Summary, UnitPassword, read_passwords, run, run_blocking,
};
pub use fault::{Fault, FaultKind, FaultName, Lasts, Struck, Target, Truth, When};
pub use load_shedding::Timetable;
pub use recording::write_recording;
pub use scenario::{BatterySettings, Cadence, LinkSettings, LoadShedding, Presses, Scenario, WeatherSettings};
pub use scenario_file::{ScenarioProblem, check_scenario};
pub use world::{Inspection, Leaving, What, World, WorldEvent};
