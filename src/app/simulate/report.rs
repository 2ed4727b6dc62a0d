//! What the simulator tells people, in words. Owns no facts.

use std::fmt;

use super::clients::{Report, Summary};
use super::fault::{Struck, Truth};

fn struck(truth: &Truth) -> String {
    match &truth.struck {
        Struck::Unit(unit) => format!("unit no. {}", unit.0 + 1),
        Struck::Uplink(name) => format!("uplink {name}"),
        Struck::Feeder(name) => format!("feeder {name}"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Connected { unit } => write!(f, "{unit} is connected"),
            Report::ConnectionLost { unit, why } => write!(f, "{unit} lost its connection: {why}"),
            Report::CannotConnect { unit, why } => write!(f, "{unit} cannot connect: {why}; it tries again by itself"),
            Report::FaultBegan(truth) => write!(f, "fault: {} at {}", truth.kind.name(), struck(truth)),
            Report::FaultEnded(truth) => write!(f, "over: {} at {}", truth.kind.name(), struck(truth)),
            Report::Commanded { unit, id, act } => write!(f, "{unit} was told: {act} ({id})"),
            Report::BadCommand { unit, why } => write!(f, "{unit} got a command that is none: {why}"),
            Report::NoSuchUnit { unit } => write!(f, "{unit} is not in the fleet"),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {} units connected", self.connected, self.units)?;
        for (kind, count) in &self.said {
            writeln!(f, "  {kind:<10} {count:>9}")?;
        }
        write!(
            f,
            "{} messages sent, {} acknowledged, {} still not; {} connections lost, {} commands, {} faults",
            self.sent,
            self.acked,
            self.unacked,
            self.connections_lost,
            self.commands,
            self.faults.len()
        )
    }
}
