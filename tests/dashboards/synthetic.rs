//! A day of a small fleet as lines of `docs/influxdb.md`: eight units in two cities, with one fault of each kind that a panel
//! tells of. Stands in for the program's own output; knows nothing of the panels.

use std::fmt::Write as _;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Lines by retention policy.
#[derive(Default)]
pub struct Lines {
    pub raw: String,
    pub five_minutes: String,
    pub hourly: String,
    pub events: String,
}

struct Unit {
    id: &'static str,
    name: &'static str,
    site: &'static str,
    site_type: &'static str,
    city: &'static str,
    crew: &'static str,
    feeder: &'static str,
    uplink: &'static str,
    model: &'static str,
    place: (f64, f64),
    /// Of which it has been since `since_h` hours: a code of `docs/influxdb.md`. Before that it was ready.
    code: usize,
    since_h: i64,
    reason: &'static str,
    drill_h: f64,
    health_pct: f64,
}

const READINESS: [&str; 7] = ["ready", "impaired", "not-ready", "silent", "unknown", "unproven", "maintenance"];

fn fleet() -> Vec<Unit> {
    let unit = |id, name, site, site_type, (code, since_h, reason), drill_h, health_pct| {
        let mardan = site == "Sheikh Maltoon Park";
        let n = f64::from(u8::try_from(drill_h as i64 % 40).expect("below 40"));
        Unit {
            id,
            name,
            site,
            site_type,
            city: if mardan { "Mardan" } else { "Peshawar" },
            crew: if mardan { "mardan" } else { "saddar" },
            feeder: if mardan { "mardan-2" } else { "city-1" },
            uplink: if mardan { "mrd-4g-01" } else { "psh-fibre-01" },
            model: if health_pct < 70.0 { "PB-1" } else { "PB-2" },
            place: if mardan { (34.19 + n / 900.0, 72.03) } else { (34.0 + n / 900.0, 71.55 + n / 700.0) },
            code,
            since_h,
            reason,
            drill_h,
            health_pct,
        }
    };
    vec![
        unit("PSH-001", "Kabuli Gate", "Qissa Khwani Bazaar", "market", (0, 0, ""), 130.0, 93.0),
        unit("PSH-002", "Chowk Yadgar", "Qissa Khwani Bazaar", "market", (1, 9, "camera is dirty"), 305.0, 88.0),
        unit("PSH-003", "Saddar Road", "Saddar", "market", (2, 6, "microphone fails its test"), 822.0, 71.0),
        unit("PSH-004", "Fowara Chowk", "Saddar", "market", (3, 3, "not heard since its battery ran out"), 519.0, 44.0),
        unit("PSH-005", "Bus terminal, gate 2", "General Bus Stand", "terminal", (4, 0, ""), 60.0, 81.0),
        unit("PSH-006", "Girls' college", "Frontier College", "university", (6, 2, "crew at work"), 240.0, 90.0),
        unit("MRD-001", "Park, east", "Sheikh Maltoon Park", "park", (5, 24, "never passed a test"), 15.0, 60.0),
        unit("MRD-002", "Park, west", "Sheikh Maltoon Park", "park", (0, 0, ""), 999.0, 52.0),
    ]
}

fn tag(text: &str) -> String {
    text.replace(',', "\\,").replace(' ', "\\ ").replace('=', "\\=")
}

fn text(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Mains cuts of the day, hours of the day in UTC.
fn is_cut(unit: &Unit, at: i64) -> bool {
    let hour = at.rem_euclid(DAY) / HOUR;
    if unit.feeder == "city-1" { matches!(hour, 3 | 4 | 9 | 14 | 15 | 20) } else { hour % 3 == 0 }
}

fn code_at(unit: &Unit, now: i64, at: i64) -> usize {
    // The broker was out of reach for 20 minutes, ten hours ago.
    let deaf = (now - 10 * HOUR..now - 10 * HOUR + 20 * MINUTE).contains(&at);
    match unit.code {
        _ if deaf => 4,
        4 => 0,
        code if at >= now - unit.since_h * HOUR => code,
        _ => 0,
    }
}

/// The last 24 hours up to `now_ms`.
pub fn day(now_ms: i64) -> Lines {
    let mut lines = Lines::default();
    let fleet = fleet();
    let start = now_ms - DAY;
    for (n, unit) in fleet.iter().enumerate() {
        let wave = |at: i64, hours: f64| ((at as f64 / HOUR as f64 + n as f64) / hours * std::f64::consts::TAU).sin();
        let gone = if unit.code == 3 { now_ms - unit.since_h * HOUR } else { now_ms };
        write_heartbeats(&mut lines, unit, n, start, gone, &wave);
        write_power(&mut lines, unit, n, start, gone, &wave);
        write_status(&mut lines, unit, n, start, now_ms);
        write_tests(&mut lines, unit, n, start, gone, &wave);
        write_presses(&mut lines, unit, n, start);
        write_forecasts(&mut lines, unit, n, start, now_ms);
    }
    write_alerts(&mut lines, &fleet, now_ms);
    write_orders(&mut lines, &fleet, now_ms);
    write_incidents(&mut lines, now_ms);
    write_feeder_hours(&mut lines, start, now_ms);
    lines
}

fn steps(start: i64, end: i64, step: i64) -> impl Iterator<Item = i64> {
    // Backwards from the end: the newest point is at the end itself.
    (0..=(end - start) / step).rev().map(move |n| end - n * step)
}

/// The same point, one in five minutes and one an hour.
fn thinned(lines: &mut Lines, at: i64, end: i64, line: &str) {
    if (end - at) % (5 * MINUTE) == 0 {
        lines.five_minutes += line;
    }
    if (end - at) % HOUR == 0 {
        lines.hourly += line;
    }
}

fn write_heartbeats(l: &mut Lines, u: &Unit, n: usize, start: i64, end: i64, wave: &impl Fn(i64, f64) -> f64) {
    for (seq, at) in steps(start, end, MINUTE).enumerate() {
        // Every unit was out of reach twice for some minutes.
        let minute = (at - start) / MINUTE;
        if (300 + 20 * n as i64..304 + 20 * n as i64).contains(&minute) || minute == 800 {
            continue;
        }
        let line = format!(
            "heartbeat,unit={},site={} rssi_dbm={:.1},temp_c={:.1},uptime_s={},loss_pct={:.1},skew_ms={:.0},\
             disk_free_pct={:.1},mem_free_pct=41.0,seq={seq}i,boot=7i,tamper=0i,fw={},hw=\"B\" {at}\n",
            u.id,
            tag(u.site),
            -70.0 + 8.0 * wave(at, 5.0),
            31.0 + 9.0 * wave(at, 24.0),
            (at - start) / 1000 + 86_400,
            (1.5 + 2.0 * wave(at, 3.0)).max(0.0),
            40.0 + 30.0 * wave(at, 8.0),
            64.0 - n as f64,
            text(if n.is_multiple_of(3) { "2.4.1" } else { "2.3.0" }),
        );
        l.raw += &line;
        thinned(l, at, end, &line);
    }
}

fn write_power(l: &mut Lines, u: &Unit, n: usize, start: i64, end: i64, wave: &impl Fn(i64, f64) -> f64) {
    let mut charge_pct: f64 = 90.0;
    for at in steps(start, end, 5 * MINUTE) {
        let cut = is_cut(u, at);
        charge_pct = (charge_pct + if cut { -60.0 / u.health_pct * 2.2 } else { 1.1 }).clamp(6.0, 100.0);
        let load_w = 8.0 + wave(at, 4.0);
        let runtime_h = charge_pct / 100.0 * u.health_pct / 100.0 * 11.0;
        let longest_cut_h = if u.feeder == "city-1" { 4.5 } else { 6.0 };
        let mut line = format!(
            "power,unit={},site={},feeder={} mains={}i,mains_v={:.1},battery_v={:.2},temp_c={:.1},charge_a={:.2},\
             load_w={load_w:.2},runtime_h={runtime_h:.2},health_pct={:.1},charge_pct={charge_pct:.1},\
             longest_cut_h={longest_cut_h:.1}",
            u.id,
            tag(u.site),
            u.feeder,
            i64::from(!cut),
            if cut { 0.0 } else { 224.0 + 5.0 * wave(at, 6.0) },
            11.2 + charge_pct / 100.0 * 1.9,
            30.0 + 7.0 * wave(at, 24.0),
            if cut { -load_w / 12.0 } else { 1.4 - charge_pct / 100.0 },
            u.health_pct,
        );
        if cut {
            let _ = write!(line, ",margin_h={:.2}", runtime_h - longest_cut_h / 2.0);
        }
        if !n.is_multiple_of(4) {
            let _ = write!(line, ",battery_pct={:.0}", charge_pct);
        }
        let _ = writeln!(line, " {at}");
        l.raw += &line;
        thinned(l, at, end, &line);
    }
}

fn write_status(l: &mut Lines, u: &Unit, n: usize, start: i64, now: i64) {
    for at in steps(start, now, 5 * MINUTE) {
        let code = code_at(u, now, at);
        let available = match code {
            0 | 1 => ",available=1i",
            2 | 3 => ",available=0i",
            _ => "",
        };
        let open = i64::from((1..=3).contains(&code));
        let since = if code == u.code { now - u.since_h * HOUR } else { start };
        let heard_s = if code == 3 { (at - since) / 1000 + 90 } else { 20 + n as i64 };
        let reason = if code == 4 { "the broker was out of reach" } else { u.reason };
        let mut line = format!(
            "unit_status,unit={},site={},city={},site_type={} readiness={},reason={},crew={},name={},feeder={},uplink={},\
             model={},code={code}i,open_alerts={open}i,open_orders={open}i,since={since}i,lat={:.5},lon={:.5},\
             heard_s={heard_s},selftest_h={:.1},drill_h={:.1},drill_every_h=720{available} {at}",
            u.id,
            tag(u.site),
            tag(u.city),
            u.site_type,
            text(READINESS[code]),
            text(if code == 0 { "" } else { reason }),
            text(u.crew),
            text(u.name),
            text(u.feeder),
            text(u.uplink),
            text(u.model),
            u.place.0,
            u.place.1,
            1.0 + (at - start) as f64 / HOUR as f64 % 6.0,
            u.drill_h,
        );
        line.push('\n');
        l.raw += &line;
        thinned(l, at, now, &line);
    }
}

fn write_tests(l: &mut Lines, u: &Unit, n: usize, start: i64, end: i64, wave: &impl Fn(i64, f64) -> f64) {
    let (id, site) = (u.id, tag(u.site));
    for (run, at) in steps(start, end, 4 * HOUR).enumerate() {
        let trigger = if run == 0 { "boot" } else { "schedule" };
        for (mode, baseline, luma) in [("day", 812.0, 120.0), ("ir", 440.0, 54.0)] {
            let late = run as f64 / 6.0;
            let score = 97.0 - n as f64 - if u.code == 1 { 35.0 + 28.0 * late } else { 2.0 * late };
            let passed = score > 40.0;
            let (result, code) = if passed { ("pass", "") } else { ("fail", "blurred") };
            let _ = writeln!(
                l.events,
                "selftest,unit={id},site={site},component=camera passed={}i,score={score:.1},baseline={baseline},limit={:.1},\
                 result={},code={},mode={},trigger={},sharpness={:.1},luma={luma},changed_pct={:.1},frozen_frames=0,fps=24.5 \
                 {}",
                i64::from(passed),
                baseline * 0.4,
                text(result),
                text(code),
                text(mode),
                text(trigger),
                baseline * score / 100.0,
                3.0 + wave(at, 9.0),
                at + i64::from(mode == "ir") * 1000,
            );
        }
        let weak = u.code == 2;
        for (component, baseline) in [("microphone", 31.0), ("speaker", 28.0)] {
            let fails = weak && component == "microphone";
            let snr = baseline - 0.4 * n as f64 - if fails { 11.0 + run as f64 / 3.0 } else { 0.2 * run as f64 };
            let ambient = if component == "microphone" {
                format!(
                    ",ambient_dbfs={:.1},clipping_pct=0.1,retries={}",
                    -48.0 + 5.0 * wave(at, 12.0),
                    i64::from(fails) * 3
                )
            } else {
                String::new()
            };
            let _ = writeln!(
                l.events,
                "selftest,unit={id},site={site},component={component} passed={}i,score={:.1},baseline={baseline},limit={:.1},\
                 result={},code={},trigger={},tone_snr_db={snr:.1}{ambient} {at}",
                i64::from(!fails),
                100.0 * 10f64.powf((snr - baseline) / 20.0),
                baseline - 10.0,
                text(if fails { "fail" } else { "pass" }),
                text(if fails { "no-tone" } else { "" }),
                text(trigger),
            );
        }
        let _ = writeln!(
            l.events,
            "selftest,unit={id},site={site},component=button passed=1i,score=100,result=\"pass\",trigger={t},stuck=0,\
             contact_ohm={:.2} {at}\n\
             selftest,unit={id},site={site},component=stream passed=1i,score=100,result=\"pass\",trigger={t},connect_ms={:.0},\
             kbps={:.0},loss_pct={:.1} {at}",
            0.4 + 0.05 * n as f64,
            600.0 + 150.0 * wave(at, 7.0),
            1400.0 + 200.0 * wave(at, 5.0),
            0.6 + 0.3 * wave(at, 6.0),
            t = text(trigger),
        );
    }
}

fn write_presses(l: &mut Lines, u: &Unit, n: usize, start: i64) {
    for (kind, at, ack) in [("test", start + 2 * HOUR, 1), ("real", start + 15 * HOUR, i64::from(n != 2))] {
        let at = at + n as i64 * 7 * MINUTE;
        let ack_ms = if ack == 1 { format!(",ack_ms={}", 900 + 120 * n) } else { String::new() };
        let line = format!("press,unit={},site={},kind={kind}", u.id, tag(u.site));
        let _ = writeln!(l.events, "{line} held_ms={}{ack_ms},ack={ack}i,presses=1i {at}", 700 + 90 * n);
    }
}

fn write_forecasts(l: &mut Lines, u: &Unit, n: usize, start: i64, now: i64) {
    for at in steps(start, now, HOUR) {
        for (component, what, by, rule, days) in [
            ("camera", "sharpness below 40% of baseline", "camera.sharpness", "lens-needs-cleaning", 5.0),
            ("microphone", "tone 10 dB below baseline", "microphone.tone_snr", "microphone-weak", 17.0),
            ("battery", "health below 50%", "battery.health", "battery-fading", 40.0),
        ] {
            let days = days + 6.0 * n as f64;
            let end = |factor: f64| at + (days * factor * DAY as f64) as i64;
            let _ = writeln!(
                l.events,
                "forecast,unit={},site={},component={component} what={},rule={},by={},basis={},at={}i,earliest={}i,latest={}i,\
                 in_days={days:.1},confidence_pct={} {at}",
                u.id,
                tag(u.site),
                text(what),
                text(rule),
                text(by),
                text("28 self-tests"),
                end(1.0),
                end(0.7),
                end(1.6),
                80 - 3 * n,
            );
        }
    }
}

fn write_alerts(l: &mut Lines, fleet: &[Unit], now: i64) {
    let mut event = |unit: &str, rule: &str, (from, to): (&str, &str), severity: &str, component: &str, at: i64| {
        let u = fleet.iter().find(|u| u.id == unit).expect("a unit of the fleet");
        let _ = writeln!(
            l.events,
            "alert_event,unit={unit},site={},rule={rule} from={},to={},severity={},reason={},component={},active={}i {at}",
            tag(u.site),
            text(from),
            text(to),
            text(severity),
            text(&format!("{rule} is {to}")),
            text(component),
            i64::from(matches!(to, "firing" | "clearing")),
        );
    };
    for (unit, rule, severity, component, hours) in [
        ("PSH-002", "lens-dirty", "minor", "camera", 9),
        ("PSH-002", "not-recharged", "major", "charger", 7),
        ("PSH-003", "microphone-failed", "major", "microphone", 6),
        ("PSH-004", "unit-silent", "critical", "uplink", 3),
        ("PSH-004", "battery-ran-out", "critical", "battery", 3),
        ("MRD-002", "charger-idle", "major", "charger", 12),
    ] {
        event(unit, rule, ("inactive", "pending"), severity, component, now - hours * HOUR - 10 * MINUTE);
        event(unit, rule, ("pending", "firing"), severity, component, now - hours * HOUR);
    }
    event("PSH-001", "link-loss", ("pending", "firing"), "warning", "uplink", now - 13 * HOUR);
    event("PSH-001", "link-loss", ("firing", "resolved"), "warning", "uplink", now - 11 * HOUR);
}

fn write_orders(l: &mut Lines, fleet: &[Unit], now: i64) {
    struct Order {
        id: &'static str,
        /// A unit, or an incident as `kind name`.
        on: &'static str,
        component: &'static str,
        priority: &'static str,
        summary: &'static str,
        opened_h: i64,
        taken_h: Option<i64>,
        closed_h: Option<i64>,
        relapses: i64,
    }
    let order = |id, on, component, (priority, summary), (opened_h, taken_h, closed_h), relapses| Order {
        id,
        on,
        component,
        priority,
        summary,
        opened_h,
        taken_h,
        closed_h,
        relapses,
    };
    let orders = [
        order("WO-000011", "PSH-001", "uplink", ("P2", "replies are lost"), (13, Some(12), Some(8)), 0),
        order("WO-000012", "PSH-002", "camera", ("P3", "camera is dirty"), (9, None, None), 0),
        order("WO-000013", "PSH-003", "microphone", ("P2", "microphone fails its test"), (6, Some(5), None), 2),
        order("WO-000014", "PSH-004", "battery", ("P1", "battery ran out"), (20, Some(19), None), 1),
        order("WO-000015", "MRD-002", "charger", ("P2", "charger is idle"), (23, None, None), 0),
        order("WO-000016", "uplink mrd-4g-01", "uplink", ("P1", "restore the uplink"), (2, Some(1), None), 0),
        order("WO-000017", "PSH-006", "camera", ("P3", "camera has no picture"), (22, Some(21), Some(4)), 1),
        order("WO-000018", "PSH-002", "charger", ("P2", "battery is not recharged"), (7, None, None), 0),
    ];
    for o in &orders {
        let unit = fleet.iter().find(|u| u.id == o.on);
        let target_h = match o.priority {
            "P1" => 4,
            "P2" => 24,
            _ => 168,
        };
        let opened = now - o.opened_h * HOUR;
        let on = match unit {
            Some(u) => format!("unit={},site={},crew={}", u.id, tag(u.site), u.crew),
            None => format!("crew=network,incident={}", tag(o.on)),
        };
        let (city, site_type) = unit.map_or(("", ""), |u| (u.city, u.site_type));
        let place = format!(",city={},site_type={}", text(city), text(site_type));
        let mut point = |state: &str, state_code: i64, at: i64, more: &str| {
            let is_open = i64::from(state_code < 5);
            let overdue = i64::from(is_open == 1 && at > opened + target_h * HOUR);
            let _ = writeln!(
                l.events,
                "work_order,{on},component={} order={},state={},priority={},summary={},state_code={state_code}i,open={is_open}i,\
                 overdue={overdue}i,relapses={}i,due={}i,age_s={}{}{more} {at}",
                o.component,
                text(o.id),
                text(state),
                text(o.priority),
                text(o.summary),
                o.relapses,
                opened + target_h * HOUR,
                (at - opened) / 1000,
                if city.is_empty() { "" } else { &place },
            );
        };
        point("opened", 0, opened + 1, "");
        let end = o.closed_h.map_or(now, |h| now - h * HOUR);
        for at in steps(opened + MINUTE, end, 5 * MINUTE) {
            match o.taken_h {
                Some(h) if at >= now - h * HOUR => point("acknowledged", 1, at, ""),
                _ => point("opened", 0, at, ""),
            }
        }
        if let Some(h) = o.taken_h {
            point("acknowledged", 1, now - h * HOUR + 1, &format!(",ack_s={}", (o.opened_h - h) * 3600));
        }
        if let Some(h) = o.closed_h {
            let at = now - h * HOUR + 2;
            point("repaired", 3, at - 1, "");
            point("closed", 5, at, &format!(",repair_s={}", (o.opened_h - h) * 3600));
        }
    }
}

fn write_incidents(l: &mut Lines, now: i64) {
    let mut incident = |kind: &str, name: &str, order: &str, from: i64, until: Option<i64>| {
        for at in steps(from, until.unwrap_or(now), 5 * MINUTE) {
            let is_open = i64::from(until != Some(at));
            let state = if is_open == 1 { "open" } else { "closed" };
            let _ = writeln!(
                l.events,
                "incident,kind={kind},name={} state={},reason={},order={},open={is_open}i,units=2i,age_s={} {at}",
                tag(name),
                text(state),
                text("2 of 2 units silent"),
                text(order),
                (at - from) / 1000,
            );
        }
    };
    incident("uplink", "mrd-4g-01", "WO-000016", now - 2 * HOUR, None);
    incident("fleet", "fleet", "", now - 10 * HOUR, Some(now - 10 * HOUR + 20 * MINUTE));
}

fn write_feeder_hours(l: &mut Lines, start: i64, now: i64) {
    for at in [start + MINUTE, now - MINUTE] {
        for feeder in ["city-1", "mardan-2"] {
            for day in 1..=7 {
                for hour in 0..24 {
                    let cut = if feeder == "city-1" { matches!(hour, 3 | 4 | 9 | 14 | 15 | 20) } else { hour % 3 == 0 };
                    let cut_pct = if cut { 62 + 4 * day } else { (hour + day) % 5 };
                    let _ = writeln!(
                        l.events,
                        "feeder_hour,feeder={feeder},day={day},hour={hour:02} cut_pct={cut_pct} {at}"
                    );
                }
            }
        }
    }
}
