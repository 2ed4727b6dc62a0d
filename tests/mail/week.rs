//! A bad week of the first fleet, as its crews get it: simulated buttons and faults, the real engine, crews who work by day,
//! and every mail as it would go out, read back by Python's `email`.
//!
//! To look at them: `WEEK_DIR=/tmp/week cargo test --test mail week`, then open the .html files there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use buttonwatch::app::simulate::{What, World, check_scenario};
use buttonwatch::config::{check_fleet, default_rules};
use buttonwatch::domain::message::{Body, Kind, Message};
use buttonwatch::domain::series::{Figures, Rollup, SeriesPoint, hour_of};
use buttonwatch::domain::{
    Action, EffectKind, Event, Fleet, Hearing, Notice, NoticeKind, Order, OrderId, OrderMove, OrderState, Priority,
    Recipient, SeriesName, Settings, Subject, Timestamp, UnitId, UnitIx, span_text,
};
use buttonwatch::engine::Engine;
use buttonwatch::io::smtp::to_message;
use buttonwatch::render::chart;
use buttonwatch::render::mail::{Mail, MailContext, Mailbox, Picture, Templates, render_notice};
use buttonwatch::wire::decode::Decoder;
use buttonwatch::wire::signature::Signing;

const ROOT: &str = "buttonwatch/v1";
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(8 * 86_400);
const START: &str = "2026-11-15T19:00:00Z";

struct Week {
    fleet: Fleet,
    world: World,
    engine: Engine,
    decoder: Decoder,
    rollups: BTreeMap<(UnitId, i64), Rollup>,
    orders: BTreeMap<OrderId, Order>,
    /// What crews have before them: when, which order, and what they say then.
    work: BinaryHeap<Reverse<(Timestamp, OrderId, u8)>>,
    mails: Vec<(Notice, Mail)>,
    templates: Templates,
}

impl Week {
    fn new() -> Week {
        let file =
            |name: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a file of this project");
        let units = check_fleet("peshawar.csv", &file("fixtures/fleets/peshawar.csv")).expect("the shipped fleet");
        let fleet = Fleet::new(units);
        let text = String::from_utf8(file("fixtures/scenarios/bad-week.toml")).expect("UTF-8");
        let mut scenario = check_scenario("bad-week.toml", &text, &fleet).expect("the shipped scenario");
        // A beat every two minutes tells the same story in a quarter of the time.
        scenario.cadence.heartbeat = Some(Duration::from_secs(120));
        scenario.cadence.power = Duration::from_secs(600);
        let start = Timestamp::parse(START).expect("a time");
        Week {
            world: World::new(&fleet, &scenario, 7, start),
            engine: Engine::new(default_rules(), fleet.clone(), Settings::default()),
            decoder: Decoder::new(ROOT, Signing::Off),
            fleet,
            rollups: BTreeMap::new(),
            orders: BTreeMap::new(),
            work: BinaryHeap::new(),
            mails: Vec::new(),
            templates: Templates::default(),
        }
    }

    fn run(&mut self) {
        let start = Timestamp::parse(START).expect("a time");
        let end = start + WEEK;
        let effects = self.engine.handle(start, Event::Hearing(Hearing::Start));
        self.heed(effects);
        loop {
            let next = self.work.peek().map_or(end, |Reverse((at, ..))| (*at).min(end));
            while let Some(event) = self.world.next_until(next) {
                match event.what {
                    What::Say { kind, payload, .. } => self.said(event.at, event.unit, kind, &payload),
                    What::Will { payload } => self.said(event.at, event.unit, Kind::Status, &payload),
                    What::Connect | What::Disconnect(_) | What::FaultBegan(_) | What::FaultEnded(_) => {}
                }
            }
            match self.work.pop() {
                Some(Reverse((at, order, step))) if at <= end => self.crew_does(at, order, step),
                Some(_) | None => break,
            }
        }
        let effects = self.engine.advance(end);
        self.heed(effects);
    }

    fn said(&mut self, at: Timestamp, unit: UnitIx, kind: Kind, payload: &[u8]) {
        let id = self.fleet.unit(unit).unit.clone();
        let topic = format!("{ROOT}/{id}/{kind}");
        let message = self.decoder.decode(&topic, payload).expect("the simulator keeps the protocol").message;
        self.keep(at, &id, &message);
        let effects = self.engine.handle(at, Event::Message { unit, message, retained: false });
        self.heed(effects);
    }

    /// As the service's rollups do, without their journal.
    fn keep(&mut self, at: Timestamp, unit: &UnitId, message: &Message) {
        let (hour, second) = hour_of(message.ts.unwrap_or(at));
        let rollup = self.rollups.entry((unit.clone(), hour)).or_default();
        if let Body::Heartbeat(_) = message.body {
            rollup.add(SeriesName::Heartbeats, &Figures::one(1.0, second));
        }
        message.body.readings(|metric, value| {
            if let Some(name) = SeriesName::sent(metric) {
                rollup.add(name, &Figures::one(value, second));
            }
        });
    }

    fn heed(&mut self, effects: Vec<buttonwatch::domain::Effect>) {
        for effect in effects {
            match effect.kind {
                EffectKind::Order(order) => {
                    if matches!(order.state, OrderState::Opened | OrderState::Reopened) {
                        self.send_crew(effect.at, &order);
                    }
                    self.orders.insert(order.id, *order);
                }
                EffectKind::OrderUpdated(order) => {
                    self.orders.insert(order.id, *order);
                }
                EffectKind::Mail(notice) => {
                    let mail = self.render(&notice);
                    self.mails.push((*notice, mail));
                }
                EffectKind::Command { unit, command } => {
                    if let Some(unit) = self.fleet.find(unit.as_str()) {
                        self.world.command(unit, command, effect.at);
                    }
                }
                EffectKind::Readiness { .. }
                | EffectKind::Alert { .. }
                | EffectKind::Incident { .. }
                | EffectKind::Reading { .. }
                | EffectKind::Refused { .. } => {}
            }
        }
    }

    /// Every fourth order is left lying; crews work by day.
    fn send_crew(&mut self, at: Timestamp, order: &Order) {
        if order.id.number().is_multiple_of(4) {
            return;
        }
        let local = at.to_utc().with_timezone(&chrono_tz::Asia::Karachi);
        let hour = local.format("%H").to_string().parse::<u64>().expect("an hour");
        let until_day = if (8..18).contains(&hour) { Duration::ZERO } else { HOUR * ((32 - hour) % 24) as u32 };
        let wait = match order.priority {
            Priority::P1 => HOUR / 4,
            Priority::P2 => HOUR * 2 + until_day,
            Priority::P3 | Priority::P4 => HOUR * 20 + until_day,
        };
        self.work.push(Reverse((at + wait, order.id, 0)));
    }

    fn crew_does(&mut self, at: Timestamp, id: OrderId, step: u8) {
        let Some(order) = self.orders.get(&id).filter(|o| o.state.is_open()).cloned() else { return };
        let (to, next, note) = match step {
            0 => (OrderMove::Acknowledged, Some((HOUR, 1)), ""),
            1 => (OrderMove::EnRoute, Some((HOUR, 2)), "on the motorbike"),
            _ => (OrderMove::Repaired, None, "swapped <the part> & tightened; قصہ تمام"),
        };
        if to == OrderMove::Repaired
            && let Subject::Unit { unit, component } = &order.subject
            && let Some(unit) = self.fleet.find(unit.as_str())
        {
            self.world.repair(unit, *component, at);
        }
        let action = Action::SetOrder { order: id, to, note: note.to_owned() };
        let effects = self.engine.handle(at, Event::Do { action, by: "Gul Khan".to_owned() });
        self.heed(effects);
        if let Some((wait, step)) = next {
            self.work.push(Reverse((at + wait, id, step)));
        }
    }

    fn render(&self, notice: &Notice) -> Mail {
        let zone = chrono_tz::Asia::Karachi;
        let mailbox = |name: &str, address: String| Mailbox { name: Some(name.to_owned()), address };
        let from = mailbox("Buttonwatch", "buttonwatch@example.org".to_owned());
        let to = match &notice.to {
            Recipient::Crew(crew) => format!("{crew}@example.org"),
            Recipient::Supervisor(_) | Recipient::ReportReaders => "supervisor@example.org".to_owned(),
            Recipient::Operator => "operator@example.org".to_owned(),
        };
        let to = [mailbox(&notice.to.to_string(), to)];
        let open = notice.orders.iter().filter(|o| o.state.is_open());
        let links: Vec<_> = open.map(|o| (o.id, format!("https://buttons.example/crew/{}/x", o.id))).collect();
        let is_crew = matches!(notice.to, Recipient::Crew(_));
        let others: Vec<Order> = self.orders.values().cloned().collect();
        let pictures: Vec<Picture> = self.picture(notice).into_iter().collect();
        let context = MailContext {
            fleet: &self.fleet,
            zone,
            base_url: Some("https://buttons.example"),
            links: if is_crew { &links } else { &[] },
            others: &others,
            pictures: &pictures,
            from: &from,
            to: &to,
            templates: &self.templates,
        };
        render_notice(notice, &context).expect("our templates")
    }

    fn picture(&self, notice: &Notice) -> Option<Picture> {
        let [order] = notice.orders.as_slice() else { return None };
        let reading = order.reading.as_ref()?;
        let Subject::Unit { unit, .. } = &order.subject else { return None };
        // Drawing takes its time in a build that is not optimised: some of them tell as much as all.
        let drawn = self.mails.iter().filter(|(_, m)| !m.images.is_empty()).count();
        if drawn >= 12 && std::env::var_os("WEEK_DIR").is_none() {
            return None;
        }
        let from = notice.at - Duration::from_secs(7 * 86_400);
        let (first, last) = (hour_of(from).0, hour_of(notice.at).0);
        let hours = self.rollups.range((unit.clone(), first)..=(unit.clone(), last));
        let points: Vec<SeriesPoint> =
            hours.filter_map(|((_, hour), r)| Some(SeriesPoint::of(*hour, r.get(&reading.series)?))).collect();
        if points.len() < 3 {
            return None;
        }
        let zone = chrono_tz::Asia::Karachi;
        let chart = chart::of_series(&reading.series, &points, &reading.limits, from, notice.at, zone, "");
        let png = chart::png(&chart.with_size((380, 170)).svg()).expect("a chart is a picture");
        let words = format!("{}: {}", reading.series, chart::in_words(&reading.series, &points));
        Some(Picture { order: order.id, png, words })
    }
}

/// Reads every mail of a folder: their order's thread, their parts, their sheet.
const READER: &str = r#"
import csv, email, email.policy, io, os, sys, json
folder = sys.argv[1]
mails = []
for name in sorted(os.listdir(folder)):
    if name.endswith(".eml"):
        with open(os.path.join(folder, name), "rb") as f:
            mails.append(email.message_from_binary_file(f, policy=email.policy.default))
ids = {m["Message-ID"] for m in mails}
assert len(ids) == len(mails), "a Message-ID twice"
boxes = {}
for m in mails:
    assert not m.defects, (m["Subject"], m.defects)
    for part in m.walk():
        assert not part.defects, (m["Subject"], part.defects)
    text = m.get_body(("plain",)).get_content()
    html = m.get_body(("html",)).get_content()
    assert "You get this mail because" in text and "</html>" in html, m["Subject"]
    refs = (m["References"] or "").split()
    assert all(r in ids for r in refs), (m["Subject"], refs)
    if m["In-Reply-To"]:
        assert refs[-1] == m["In-Reply-To"], m["Subject"]
    for image in [p for p in m.walk() if p.get_content_type() == "image/png"]:
        cid = image["Content-ID"].strip("<>")
        assert ("cid:" + cid) in html and image.get_content()[:4] == b"\x89PNG", m["Subject"]
    sheets = [p for p in m.iter_attachments() if p.get_content_type() == "text/csv"]
    orders = (m["X-Buttonwatch-Orders"] or "").split()
    if m["X-Buttonwatch-Notice"] in ("digest", "summary"):
        rows = list(csv.reader(io.StringIO(sheets[0].get_content().lstrip("\ufeff"))))
        assert [r[1] for r in rows[1:]] == orders and len({len(r) for r in rows}) == 1, m["Subject"]
    boxes.setdefault(str(m["To"]), []).append((m["Message-ID"], refs, orders, m["X-Buttonwatch-Notice"]))
# Each order's mails in one box hang together, as a reader threads them.
for to, box in boxes.items():
    seen = {}
    for mid, refs, orders, kind in box:
        for order in orders:
            before = seen.setdefault(order, set())
            assert kind == "digest" or not before or before & set(refs), (to, order, kind)
            before.add(mid)
print(json.dumps({to: len(box) for to, box in boxes.items()}))
"#;

#[test]
fn a_week_of_mails_is_whole_threaded_and_few() {
    let mut week = Week::new();
    week.run();
    let kept = std::env::var_os("WEEK_DIR").map(std::path::PathBuf::from);
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = kept.as_deref().unwrap_or(scratch.path());
    fs::create_dir_all(folder).expect("a folder");
    for (n, (notice, mail)) in week.mails.iter().enumerate() {
        let message = to_message(mail).expect("it can be packed").formatted();
        fs::write(folder.join(format!("{n:04}.eml")), message).expect("written");
        if kept.is_some() {
            let mut html = mail.html.clone();
            for image in &mail.images {
                let name = format!("{n:04}.png");
                fs::write(folder.join(&name), &image.png).expect("written");
                html = html.replace(&format!("cid:{}", image.cid), &name);
            }
            fs::write(folder.join(format!("{n:04}-{}.html", notice.kind)), html).expect("written");
            fs::write(folder.join(format!("{n:04}-{}.txt", notice.kind)), format!("{}\n\n{}", mail.subject, mail.text))
                .expect("written");
        }
    }
    every_order_has_its_end(&week);
    let singles = |crew: &str, day: u32| {
        let from = Timestamp::parse(START).expect("a time") + Duration::from_secs(u64::from(day) * 86_400);
        let on_day = |n: &Notice| n.at >= from && n.at < from + Duration::from_secs(86_400);
        week.mails.iter().filter(|(n, _)| n.to.to_string() == crew && on_day(n)).count()
    };
    let crews: BTreeSet<String> = week.fleet.units().map(|(_, u)| u.crew.to_string()).collect();
    let busiest = crews.iter().flat_map(|c| (0..8).map(move |d| (c.clone(), d))).map(|(c, d)| singles(&c, d)).max();
    assert!(busiest.is_some_and(|n| n <= 40), "{busiest:?} mails to one crew in a day");
    assert!(week.mails.iter().filter(|(n, _)| n.kind == NoticeKind::Digest).count() >= crews.len() * 5);
    assert!(week.mails.iter().any(|(n, _)| n.kind == NoticeKind::OrderEscalated), "what lies is brought up");
    assert!(week.mails.iter().filter(|(_, m)| !m.images.is_empty()).count() > 10, "faults are shown, not only told");
    match Command::new("python3").arg("-c").arg(READER).arg(folder).output() {
        Ok(read) => {
            assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
            println!(
                "{} mails in {}: {}",
                week.mails.len(),
                span_text(WEEK),
                String::from_utf8_lossy(&read.stdout).trim()
            );
        }
        Err(e) if std::env::var_os("CI").is_some() => panic!("python3 reads the mails; apt-get install python3: {e}"),
        Err(_) => eprintln!("skipped: python3 reads the mails; apt-get install python3"),
    }
}

/// Who was told of an order's beginning was told of its end.
fn every_order_has_its_end(week: &Week) {
    let mut knows: BTreeMap<(String, OrderId), bool> = BTreeMap::new();
    for (notice, _) in &week.mails {
        for order in &notice.orders {
            knows.insert((notice.to.to_string(), order.id), order.state.is_open());
        }
    }
    let end = Timestamp::parse(START).expect("a time") + WEEK;
    for ((reader, id), thinks_open) in knows {
        let order = &week.orders[&id];
        let just_now = order.closed_at.is_some_and(|closed| end.since(closed) < HOUR);
        assert!(!thinks_open || order.state.is_open() || just_now, "{reader} does not know that {id} is over");
    }
}
