//! The words of DESIGN §2 as types. Layer 0: std, serde and chrono's types at most; schemars' derive only describes them, so
//! that the API's description cannot differ from them.
//! Never decides, never reads a clock, never does I/O.

pub mod access;
pub mod availability;
pub mod component;
pub mod delivery;
pub mod disclosure;
pub mod effect;
pub mod event;
pub mod explain;
pub mod fleet;
pub mod history;
pub mod ids;
pub mod message;
pub mod metric;
pub mod notice;
pub mod notice_plan;
pub mod on_demand;
pub mod order;
pub mod outlook;
pub mod overview;
pub mod position;
pub mod public_report;
pub mod query;
pub mod readiness;
pub mod reason;
pub mod report;
pub mod rule;
pub mod series;
pub mod settings;
pub mod severity;
pub mod text;
pub mod time;
pub mod version;
pub mod view;

pub use access::{Caller, Role, Token};
pub use component::Component;
pub use delivery::{AddressOutcome, AddressState};
pub use effect::{AlertState, Effect, EffectKind, IncidentState};
pub use event::{Action, Event, Hearing, MaintenanceScope, OrderMove};
pub use fleet::{Fleet, GroupKind, Unit, UnitIx};
pub use history::Bucket;
pub use ids::{
    City, CrewId, DiagnosisId, District, FeederId, GroupName, IncidentRuleId, InvalidId, MessageId, OrderId, RuleId,
    SiteId, UnitId, UplinkId,
};
pub use message::{Kind, Message, Outcome};
pub use metric::Metric;
pub use notice::{Notice, NoticeKind, NoticeReason, Recipient};
pub use order::{Order, OrderState, Subject, Suspect};
pub use readiness::Readiness;
pub use reason::Reason;
pub use rule::{Rule, RuleSet};
pub use series::{SeriesName, SeriesPoint};
pub use settings::Settings;
pub use severity::{Priority, Severity};
pub use text::SharedText;
pub use time::{Timestamp, span_text};
pub use version::Version;
