//! A made-up order and the mails about it: what a template is tried with before any real mail is made with it.

use std::time::Duration;

use crate::domain::notice::{IncidentFacts, NoticeReason};
use crate::domain::order::{Change, Evidence, Suspect};
use crate::domain::{
    City, Component, CrewId, FeederId, Fleet, GroupKind, GroupName, Kind, MessageId, Notice, NoticeKind, Order,
    OrderId, OrderState, Priority, Reason, Recipient, RuleId, SiteId, Subject, Timestamp, Unit, UnitId, UplinkId,
};

/// The fleet that [`notice`] speaks of.
pub fn fleet() -> Fleet {
    Fleet::new(vec![Unit {
        unit: UnitId::parse("PSH-018").expect("an id"),
        name: "قصہ خوانی بازار، گیٹ ۲".into(),
        site: SiteId::parse("Qissa Khwani Bazaar").expect("a name"),
        site_type: "market".into(),
        city: City::parse("Peshawar").expect("a name"),
        district: None,
        address: "Qissa Khwani Bazaar, Gate 2, opposite the clock tower".into(),
        position: Some((34.00861, 71.57243)),
        crew: CrewId::parse("saddar").expect("a name"),
        uplink: Some(UplinkId::parse("PTCL-QK-1").expect("a name")),
        feeder: Some(FeederId::parse("CITY-3").expect("a name")),
        model: "PB-200".into(),
        heartbeat: None,
        commissioned: None,
        contact: "Gul Khan, shop 14, 0300-1234567".into(),
    }])
}

/// One mail of each kind, as it would read about a button that fell silent.
pub fn notice(kind: NoticeKind, at: Timestamp) -> Notice {
    let opened_at = at - Duration::from_secs(5 * 3600);
    let is_over = matches!(kind, NoticeKind::OrderClosed | NoticeKind::IncidentClosed);
    let silent = Reason::NothingFor { kind: Kind::Heartbeat, last: opened_at, silence: Duration::from_secs(95) };
    let change = |at: Timestamp, state, by: &str, why| Change { at, state, by: by.to_owned(), why };
    let mut history = vec![change(opened_at, OrderState::Opened, "buttonwatch", silent.clone())];
    if is_over {
        let note = Reason::Said { note: "new SIM, <antenna> tightened".to_owned() };
        history.push(change(at - Duration::from_secs(7300), OrderState::Repaired, "Bilal", note));
        let why = Reason::Verified { tests: Vec::new(), held: Duration::from_secs(7200) };
        history.push(change(at, OrderState::Closed, "buttonwatch", why));
    }
    let order = Order {
        id: OrderId::new(42),
        subject: Subject::Unit { unit: UnitId::parse("PSH-018").expect("an id"), component: Component::Uplink },
        priority: Priority::P1,
        state: if is_over { OrderState::Closed } else { OrderState::Opened },
        crew: CrewId::parse("saddar").expect("a name"),
        site: Some(SiteId::parse("Qissa Khwani Bazaar").expect("a name")),
        opened_at,
        due_at: Some(opened_at + Duration::from_secs(4 * 3600)),
        closed_at: is_over.then_some(at),
        summary: "no heartbeat for 6 min".to_owned(),
        action: "Check power at the pole, then the link".to_owned(),
        parts: vec!["SIM".to_owned(), "4G modem".to_owned()],
        suspects: vec![
            Suspect { component: Component::Uplink, certainty: 70 },
            Suspect { component: Component::Battery, certainty: 30 },
        ],
        evidence: vec![Evidence::Said("link.rssi -107 dBm is below -100 dBm, 3 times in a row".to_owned())],
        rules: vec![RuleId::parse("unit-silent").expect("an id")],
        units: Vec::new(),
        relapses: 1,
        reading: None,
        flapping: false,
        history,
    };
    let crew = order.crew.clone();
    let is_incident = matches!(kind, NoticeKind::IncidentOpened | NoticeKind::IncidentClosed);
    let is_bare =
        matches!(kind, NoticeKind::Test | NoticeKind::Report | NoticeKind::MonitorTrouble | NoticeKind::MonitorWell);
    let has_orders = !is_incident && !is_bare;
    let (to, why) = match kind {
        NoticeKind::OrderOpened | NoticeKind::OrderReopened => {
            (Recipient::Crew(crew), NoticeReason::AtOnce { priority: Priority::P1 })
        }
        NoticeKind::OrderRaised => {
            (Recipient::Crew(crew), NoticeReason::Raised { from: Priority::P3, to: Priority::P1 })
        }
        NoticeKind::OrderReminder => {
            (Recipient::Crew(crew), NoticeReason::Repeated { after: Duration::from_secs(4 * 3600) })
        }
        NoticeKind::OrderEscalated => {
            (Recipient::Supervisor(crew), NoticeReason::Overdue { due: order.due_at.unwrap_or(at) })
        }
        NoticeKind::OrderClosed => (Recipient::Crew(crew), NoticeReason::AllClear),
        NoticeKind::Digest => (Recipient::Crew(crew), NoticeReason::Morning),
        NoticeKind::Summary => (Recipient::Crew(crew), NoticeReason::AfterTheNight),
        NoticeKind::IncidentOpened => (Recipient::Operator, NoticeReason::CommonCause),
        NoticeKind::IncidentClosed => (Recipient::Operator, NoticeReason::AllClear),
        NoticeKind::MonitorTrouble => (Recipient::Operator, NoticeReason::OwnTrouble),
        NoticeKind::MonitorWell => (Recipient::Operator, NoticeReason::AllClear),
        NoticeKind::Report => (Recipient::ReportReaders, NoticeReason::Scheduled),
        NoticeKind::Test => (Recipient::Operator, NoticeReason::Asked),
    };
    let id = |text: &str| MessageId::parse(&format!("<{text}@buttonwatch.invalid>")).expect("letters and digits");
    let begins = matches!(
        kind,
        NoticeKind::OrderOpened
            | NoticeKind::Digest
            | NoticeKind::IncidentOpened
            | NoticeKind::MonitorTrouble
            | NoticeKind::Test
    );
    Notice {
        at,
        kind,
        to,
        message_id: id(if begins { "sample.1" } else { "sample.2" }),
        in_reply_to: (!begins).then(|| id("sample.1")),
        references: Vec::new(),
        why,
        reason: if kind == NoticeKind::MonitorTrouble {
            "InfluxDB has taken nothing for 1 h; 24000 points wait on the disk, nothing is lost yet. Orders and mails go on \
             as before. Look whether InfluxDB runs"
                .to_owned()
        } else if kind == NoticeKind::MonitorWell {
            "InfluxDB takes what the service writes again".to_owned()
        } else {
            order.history.last().map(|c| c.why.to_string()).unwrap_or_default()
        },
        orders: if has_orders { vec![order] } else { Vec::new() },
        incident: is_incident.then(|| IncidentFacts {
            kind: GroupKind::Uplink,
            name: GroupName::parse("PTCL-QK-1").expect("a name"),
            opened_at,
            units: vec![UnitId::parse("PSH-018").expect("an id")],
        }),
        incidents: Vec::new(),
        report: None,
    }
}
