//! `top` on a screen of any size. Owns what gives way when there is little room: first the newest changes, then the
//! heading, never the line with the keys. Never asks and never decides.
//!
//! Lists and cards are the tables of `render::table`: what `fleet list` and `fleet show` print looks the same here.

use ratatui::Frame;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::domain::Readiness;
use crate::domain::view::UnitRow;
use crate::render::table::{self, Look};

use super::state::{Body, Page, State};

/// Under this many lines there is only the list.
const ROOM_FOR_CHANGES: usize = 18;

pub fn draw(frame: &mut Frame<'_>, state: &mut State) {
    let area = frame.area();
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    if width == 0 || height == 0 {
        return;
    }
    let mut lines = screen(state, width, height.saturating_sub(1));
    lines.truncate(height.saturating_sub(1));
    lines.resize(height.saturating_sub(1), Line::default());
    lines.push(last_line(state, width));
    frame.render_widget(Paragraph::new(lines), area);
}

fn screen(state: &mut State, width: usize, height: usize) -> Vec<Line<'static>> {
    let look = Look { width, colour: state.colour, bidi: false, zone: state.zone, now: state.now() };
    let mut lines = head(state, &look);
    match &state.wish.page {
        None => units(state, &look, &mut lines, height),
        Some(Page::Keys) => page(state, keys(&look), &mut lines, height),
        Some(_) => {
            let text = body(state, &look);
            page(state, text, &mut lines, height);
        }
    }
    lines
}

/// Who is asked and how it stands, in two lines; more when the counts do not fit.
fn head(state: &State, look: &Look) -> Vec<Line<'static>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = Vec::new();
    let Some(fresh) = &state.fresh else {
        let text = match &state.trouble {
            None => format!("asking {} …", state.server),
            Some(why) => format!("! {why}; trying again"),
        };
        lines.extend(table::wrapped("", &text, look).into_iter().map(|l| Line::styled(l, warn(state))));
        return lines;
    };
    let health = &fresh.health;
    let left = format!("buttonwatch  {} units", health.units);
    let clock = look.now.to_utc().with_timezone(&look.zone).format("%H:%M:%S").to_string();
    let gap = look.width.saturating_sub(table::width(&left) + clock.len());
    let first = if gap > 1 { format!("{left}{}{clock}", " ".repeat(gap)) } else { table::fit(&left, look.width) };
    lines.push(Line::styled(first, bold));
    if state.is_stale() {
        let why = state.trouble.clone().unwrap_or_else(|| format!("{} is slow to answer", state.server));
        let text = format!("! {why}; trying again. This is how it was {} s ago.", state.age.as_secs());
        lines.extend(table::wrapped("", &text, look).into_iter().map(|l| Line::styled(l, warn(state))));
    } else if !health.hearing {
        let text = "! The units cannot be heard now: silence proves nothing. `doctor` says why.";
        lines.extend(table::wrapped("", text, look).into_iter().map(|l| Line::styled(l, warn(state))));
    }
    let mut line: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (readiness, count) in &fresh.counts {
        let text = format!("{} {count} {readiness}", sign(*readiness));
        let needs = table::width(&text) + if used == 0 { 0 } else { 2 };
        if used > 0 && used + needs > look.width {
            lines.push(Line::from(std::mem::take(&mut line)));
            used = 0;
        }
        if used > 0 {
            line.push(Span::raw("  "));
        }
        used += needs;
        line.push(Span::styled(text, readiness_style(*readiness, state)));
    }
    lines.push(Line::from(line));
    lines
}

fn units(state: &mut State, look: &Look, lines: &mut Vec<Line<'static>>, height: usize) {
    let Some(fresh) = &state.fresh else { return };
    let faint = Style::new().add_modifier(Modifier::DIM);
    if height >= ROOM_FOR_CHANGES {
        lines.push(Line::default());
        lines.push(Line::styled("NEWEST CHANGES", faint));
        let most = if height >= 2 * ROOM_FOR_CHANGES { 8 } else { 3 };
        lines.extend(fresh.changes.iter().take(most).map(|row| change(row, look, state)));
    }
    if height > lines.len() + 3 {
        lines.push(Line::default());
    }
    let what = if state.wish.all { "UNITS" } else { "NOT READY" };
    let shown = match fresh.rows.len() < fresh.rows_total {
        true => format!("the first {} of {}", fresh.rows.len(), fresh.rows_total),
        false => fresh.rows_total.to_string(),
    };
    let filter = match state.wish.filter.as_str() {
        "" => String::new(),
        filter => format!(" · {filter}"),
    };
    let pending = if fresh.wish == state.wish { "" } else { " …" };
    let heading = format!("{what}: {shown}, {}{filter}{pending}", state.wish.order.says());
    lines.push(Line::styled(table::fit(&heading, look.width), faint));
    if fresh.rows.is_empty() {
        let text = match (state.wish.all, state.wish.filter.is_empty()) {
            (true, true) => "No units. `fleet import FILE` brings them in.",
            (false, true) => "Every unit is ready.",
            (true, false) => "No unit is like that.",
            (false, false) => "Every unit that is like that is ready.",
        };
        lines.extend(table::wrapped("", text, look).into_iter().map(Line::raw));
        return;
    }
    // However small it is, the selected unit is in sight.
    lines.truncate(height.saturating_sub(1));
    let text = table::unit_list(&fresh.rows, look);
    let mut table_lines = text.lines();
    let room = height.saturating_sub(lines.len());
    if room > 2 {
        lines.push(painted_line(table_lines.next().unwrap_or_default(), false));
    } else {
        table_lines.next();
    }
    let fits = height.saturating_sub(lines.len()).max(1);
    let last_first = fresh.rows.len().saturating_sub(fits);
    state.first_row =
        state.first_row.min(state.selected).max((state.selected + 1).saturating_sub(fits)).min(last_first);
    state.fits = fits;
    // The table's last lines are its sums, which stand above already.
    let rows = table_lines.take(fresh.rows.len()).enumerate().skip(state.first_row).take(fits);
    let selected = state.selected;
    lines.extend(rows.map(|(place, row)| painted_line(row, place == selected)));
}

/// `12 s ago  PSH-001 silent: no heartbeat for 1 min 35 s`
fn change(row: &UnitRow, look: &Look, state: &State) -> Line<'static> {
    let when = row.since.map(|at| table::age(look.now, at)).unwrap_or_default();
    let when = format!("{when:>10}  ");
    let what = format!("{} {}", sign(row.readiness), row.readiness);
    let reason = format!("{} {}: {}", row.unit, row.name, table::in_local_time(look, &row.reason));
    let used = table::width(&when) + table::width(&what) + 2;
    let style = readiness_style(row.readiness, state);
    let reason = table::fit(&reason, look.width.saturating_sub(used));
    Line::from(vec![Span::raw(when), Span::styled(what, style), Span::raw("  "), Span::raw(reason)])
}

fn body(state: &State, look: &Look) -> String {
    let Some(fresh) = &state.fresh else { return String::new() };
    let cut = |rows: usize, total: usize| match rows < total {
        true => format!(
            "\nThe first {rows} of {total}; `/` narrows the units, and the lists of the command line take filters.\n"
        ),
        false => String::new(),
    };
    match &fresh.page {
        _ if fresh.wish.page != state.wish.page => "…".to_owned(),
        None => "…".to_owned(),
        Some(Body::Card(card)) => table::unit_card(&card.card, &card.days, look),
        Some(Body::Orders(rows, total)) => table::order_list(rows, look) + &cut(rows.len(), *total),
        Some(Body::Alerts(rows, total)) => table::alerts(rows, look) + &cut(rows.len(), *total),
        Some(Body::Incidents(rows, total)) => table::incidents(rows, look) + &cut(rows.len(), *total),
        Some(Body::Gone(why)) => table::wrapped("", why, look).join("\n"),
    }
}

fn page(state: &mut State, text: String, lines: &mut Vec<Line<'static>>, height: usize) {
    // A page needs the room: of the head only the first line stays on a small screen.
    if height < ROOM_FOR_CHANGES {
        lines.truncate(1);
    } else {
        lines.push(Line::default());
    }
    let all: Vec<&str> = text.lines().collect();
    let fits = height.saturating_sub(lines.len()).max(1);
    state.fits = fits;
    state.first_line = state.first_line.min(all.len().saturating_sub(fits));
    lines.extend(all.iter().skip(state.first_line).take(fits).map(|line| painted_line(line, false)));
}

fn keys(look: &Look) -> String {
    let keys = [
        ("Up Down", "choose a unit; in a page: scroll"),
        ("PgUp PgDn", "further; Home and End: all the way"),
        ("Enter", "the unit's card"),
        ("/", "a filter, such as city=peshawar battery.voltage<11.8"),
        ("s", "another order: newest, longest, most silent, unit, city"),
        ("n", "ready units too, or not"),
        ("o", "open work orders"),
        ("a", "alerts"),
        ("i", "incidents"),
        ("r", "ask at once; else every 2 s"),
        ("Esc", "back; in the list: leave"),
        ("q Ctrl-C", "leave"),
    ];
    let mut text = String::from("KEYS\n");
    for (key, what) in keys {
        for line in table::wrapped(&format!("  {key:<10} "), what, look) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// The keys that matter here; or the filter that is being typed.
fn last_line(state: &State, width: usize) -> Line<'static> {
    if let Some(typing) = &state.typing {
        let text = match &typing.wrong {
            Some(wrong) => format!("/{}   ! {wrong}", typing.text),
            None => format!("/{}_   Enter: use it   Esc: leave it", typing.text),
        };
        // The end is where one types.
        let typed = table::width(&typing.text) + 2;
        let text = if typed > width { format!("…{}", tail(&typing.text, width.saturating_sub(2))) } else { text };
        return Line::raw(table::fit(&text, width));
    }
    let here: &[&str] = match state.wish.page {
        None => &["Enter card", "/ filter", "s sort", "n all", "o orders", "a alerts", "i incidents"],
        Some(_) => &["Esc back", "Up Down scroll", "o orders", "a alerts", "i incidents"],
    };
    let always = ["? keys", "q leave"];
    let mut shown: Vec<&str> = always.to_vec();
    for key in here {
        let place = shown.len() - always.len();
        shown.insert(place, key);
        let needs = shown.iter().map(|k| k.len()).sum::<usize>() + 2 * (shown.len() - 1);
        if needs > width {
            shown.remove(place);
        }
    }
    let text = table::fit(&shown.join("  "), width);
    let fill = " ".repeat(width.saturating_sub(table::width(&text)));
    Line::styled(text + &fill, Style::new().add_modifier(Modifier::REVERSED))
}

fn tail(text: &str, columns: usize) -> String {
    let mut kept: Vec<char> = Vec::new();
    for c in text.chars().rev() {
        if table::width(&kept.iter().collect::<String>()) + table::width(&c.to_string()) > columns {
            break;
        }
        kept.push(c);
    }
    kept.iter().rev().collect()
}

/// Beside the word, so that a glance is enough and no colour is needed.
const fn sign(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Ready => "●",
        Readiness::Impaired => "▲",
        Readiness::NotReady => "✖",
        Readiness::Silent => "○",
        Readiness::Unknown => "?",
        Readiness::Unproven => "◌",
        Readiness::Maintenance => "=",
    }
}

fn readiness_style(readiness: Readiness, state: &State) -> Style {
    let colour = match readiness {
        Readiness::Ready => Color::Green,
        Readiness::Impaired => Color::Yellow,
        Readiness::NotReady | Readiness::Silent => Color::Red,
        Readiness::Unknown | Readiness::Unproven => Color::Cyan,
        Readiness::Maintenance => Color::Reset,
    };
    if state.colour { Style::new().fg(colour) } else { Style::new() }
}

fn warn(state: &State) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    if state.colour { bold.fg(Color::Yellow) } else { bold }
}

/// A line of a table, its colours (`render::table` writes SGR sequences around words) made into spans.
fn painted_line(text: &str, selected: bool) -> Line<'static> {
    let mut spans = Vec::new();
    let mut style = Style::new();
    for (n, part) in text.split("\u{1b}[").enumerate() {
        let words = match part.split_once('m') {
            Some((codes, words)) if n > 0 => {
                style = codes.split(';').fold(style, sgr);
                words
            }
            Some(_) | None => part,
        };
        if !words.is_empty() {
            spans.push(Span::styled(words.to_owned(), style));
        }
    }
    let line = Line::from(spans);
    if selected { line.style(Style::new().add_modifier(Modifier::REVERSED)) } else { line }
}

/// What `render::table` uses.
fn sgr(style: Style, code: &str) -> Style {
    match code {
        "1" => style.add_modifier(Modifier::BOLD),
        "2" => style.add_modifier(Modifier::DIM),
        "31" => style.fg(Color::Red),
        "32" => style.fg(Color::Green),
        "33" => style.fg(Color::Yellow),
        "36" => style.fg(Color::Cyan),
        _ => Style::new(),
    }
}
