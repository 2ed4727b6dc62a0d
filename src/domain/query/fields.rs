//! The fields of each list: their names, what they hold, and what they can be compared with. Names are stable (docs/cli.md).

use std::borrow::Cow;

use crate::domain::effect::{AlertState, IncidentState};
use crate::domain::{Component, GroupKind, Metric, OrderState, Readiness};

use super::{Field, FieldKind};

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal $kind:expr, $meaning:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $(#[doc = $meaning] $variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
        impl Field for $name {
            fn name(&self) -> Cow<'static, str> {
                Cow::Borrowed(self.as_str())
            }
            fn kind(&self) -> FieldKind {
                match self { $($name::$variant => $kind),+ }
            }
            fn meaning(&self) -> &'static str {
                match self { $($name::$variant => $meaning),+ }
            }
            fn known() -> Vec<Self> {
                Self::ALL.to_vec()
            }
        }
    };
}

macro_rules! any_of {
    ($words:ty) => {
        FieldKind::Word { words: <$words>::ALL.iter().map(|w| w.as_str()).collect(), ranked: false }
    };
}

const COUNT: FieldKind = FieldKind::Number { unit: "" };

fn severity() -> FieldKind {
    FieldKind::Word { words: vec!["warning", "minor", "major", "critical"], ranked: true }
}
/// P1 is the lowest number, as people say it: `priority<=P2` are the urgent ones.
fn priority() -> FieldKind {
    FieldKind::Word { words: vec!["P1", "P2", "P3", "P4"], ranked: true }
}

fields!(
    UnitColumn {
        Unit "unit" FieldKind::Text, "the unit's id";
        Name "name" FieldKind::Text, "its name";
        Site "site" FieldKind::Text, "where it stands";
        SiteType "site_type" FieldKind::Text, "market, bus-terminal, university, park, …";
        City "city" FieldKind::Text, "its city";
        District "district" FieldKind::Text, "its district";
        Address "address" FieldKind::Text, "its address";
        Crew "crew" FieldKind::Text, "who repairs it";
        Uplink "uplink" FieldKind::Text, "its network circuit";
        Feeder "feeder" FieldKind::Text, "its power feeder";
        Model "model" FieldKind::Text, "what was bought";
        Firmware "firmware" FieldKind::Text, "what it says it runs";
        Lat "lat" FieldKind::Number { unit: "°" }, "latitude";
        Lon "lon" FieldKind::Number { unit: "°" }, "longitude";
        Readiness "readiness" any_of!(Readiness), "can it summon help right now?";
        Reason "reason" FieldKind::Text, "why its readiness is what it is";
        Since "since" FieldKind::Time, "when its readiness became what it is; since>2d: for longer than 2 days";
        Silent "silent" FieldKind::Span, "for how long nothing was heard of it";
        LastHeard "last_heard" FieldKind::Time, "when it was last heard";
        Alert "alert" FieldKind::Text, "the rules that fire for it, or are held back";
        OpenAlerts "open_alerts" COUNT, "how many alerts it has";
        OpenOrders "open_orders" COUNT, "how many open work orders it has";
    }
);

impl UnitColumn {
    /// In a unit's row only when it is asked for.
    pub const fn is_on_request(self) -> bool {
        match self {
            UnitColumn::District | UnitColumn::Address | UnitColumn::Firmware | UnitColumn::Alert => true,
            UnitColumn::Unit
            | UnitColumn::Name
            | UnitColumn::Site
            | UnitColumn::SiteType
            | UnitColumn::City
            | UnitColumn::Crew
            | UnitColumn::Uplink
            | UnitColumn::Feeder
            | UnitColumn::Model
            | UnitColumn::Lat
            | UnitColumn::Lon
            | UnitColumn::Readiness
            | UnitColumn::Reason
            | UnitColumn::Since
            | UnitColumn::Silent
            | UnitColumn::LastHeard
            | UnitColumn::OpenAlerts
            | UnitColumn::OpenOrders => false,
        }
    }
}

/// What units can be picked by: a column, or any reading.
#[derive(Debug, Clone, PartialEq)]
pub enum UnitField {
    Column(UnitColumn),
    Reading(Metric),
    /// A vendor's own reading, without the `x.`.
    Vendor(Box<str>),
    /// How far it is from this place. Has no name to type: the place is said beside the conditions.
    Distance {
        from: (f64, f64),
    },
}

impl Field for UnitField {
    fn name(&self) -> Cow<'static, str> {
        match self {
            UnitField::Column(column) => column.name(),
            UnitField::Reading(metric) => Cow::Borrowed(metric.name()),
            UnitField::Vendor(name) => Cow::Owned(format!("x.{name}")),
            UnitField::Distance { .. } => Cow::Borrowed("distance"),
        }
    }
    fn kind(&self) -> FieldKind {
        match self {
            UnitField::Column(column) => column.kind(),
            UnitField::Reading(metric) => FieldKind::Number { unit: metric.facts().unit },
            UnitField::Vendor(_) => COUNT,
            UnitField::Distance { .. } => FieldKind::Number { unit: "m" },
        }
    }
    fn meaning(&self) -> &'static str {
        match self {
            UnitField::Column(column) => column.meaning(),
            UnitField::Reading(metric) => metric.facts().meaning,
            UnitField::Vendor(_) => "a vendor's own reading",
            UnitField::Distance { .. } => "how far away it is",
        }
    }
    fn known() -> Vec<Self> {
        let columns = UnitColumn::ALL.iter().map(|c| UnitField::Column(*c));
        columns.chain(Metric::ALL.iter().map(|m| UnitField::Reading(*m))).collect()
    }
    fn named(name: &str) -> Option<Self> {
        if let Some(vendor) = name.strip_prefix("x.").filter(|v| !v.is_empty()) {
            return Some(UnitField::Vendor(vendor.into()));
        }
        Self::known().into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }
}

fields!(
    AlertField {
        Unit "unit" FieldKind::Text, "the unit's id";
        Name "name" FieldKind::Text, "the unit's name";
        Site "site" FieldKind::Text, "where the unit stands";
        City "city" FieldKind::Text, "the unit's city";
        Crew "crew" FieldKind::Text, "who repairs it";
        Rule "rule" FieldKind::Text, "the rule";
        Component "component" any_of!(Component), "what the rule is about";
        Severity "severity" severity(), "how bad: warning < minor < major < critical";
        State "state" any_of!(AlertState), "pending, firing, inhibited";
        Flapping "flapping" FieldKind::Flag, "whether it comes and goes";
        Since "since" FieldKind::Time, "since when; since>2d: for longer than 2 days";
        Reason "reason" FieldKind::Text, "why";
        Order "order" FieldKind::Text, "its work order";
    }
);

fields!(
    IncidentField {
        Kind "kind" any_of!(GroupKind), "what the units have in common";
        Name "name" FieldKind::Text, "the circuit or place";
        State "state" any_of!(IncidentState), "open or closed";
        Since "since" FieldKind::Time, "since when; since>2h: for longer than 2 hours";
        Units "units" FieldKind::Text, "the units that are in it";
        Size "size" COUNT, "how many these are";
        Reason "reason" FieldKind::Text, "why";
        Order "order" FieldKind::Text, "its work order";
    }
);

fields!(
    OrderField {
        Order "order" FieldKind::Text, "WO-000042";
        Unit "unit" FieldKind::Text, "the unit";
        Component "component" any_of!(Component), "what to repair";
        IncidentKind "incident_kind" any_of!(GroupKind), "what the units of its incident have in common";
        IncidentName "incident_name" FieldKind::Text, "the circuit or place of its incident";
        Priority "priority" priority(), "P1 is the most urgent; priority<=P2: P1 and P2";
        State "state" any_of!(OrderState), "how far it is";
        Crew "crew" FieldKind::Text, "who repairs";
        Site "site" FieldKind::Text, "where";
        City "city" FieldKind::Text, "the unit's city";
        OpenedAt "opened_at" FieldKind::Time, "when it was opened; opened_at>2d: more than 2 days ago";
        DueAt "due_at" FieldKind::Time, "until when it should be repaired";
        Left "left" FieldKind::Span, "the time left until then; left<4h: due within 4 hours";
        Overdue "overdue" FieldKind::Flag, "whether it should have been repaired by now";
        ClosedAt "closed_at" FieldKind::Time, "when it was closed";
        Summary "summary" FieldKind::Text, "what is wrong";
        Action "action" FieldKind::Text, "what to do";
        Parts "parts" FieldKind::Text, "what to bring";
        Suspects "suspects" FieldKind::Text, "the components that may be at fault";
        Evidence "evidence" FieldKind::Text, "what speaks for that";
        Rules "rules" FieldKind::Text, "the rules behind it";
        Units "units" FieldKind::Text, "the units of its incident";
        Relapses "relapses" COUNT, "how often the fault came back";
        Flapping "flapping" FieldKind::Flag, "whether the fault comes and goes";
    }
);
