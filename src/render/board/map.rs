//! The fleet on a map of its own: coordinates → SVG, and the marks that stand for readiness everywhere. Each readiness has a
//! shape and a colour: neither is needed to see the other. Never fetches a tile.

use std::fmt::Write;

use crate::domain::Readiness;
use crate::domain::overview::{Bounds, Overview, Part, Place};
use crate::render::mail::escaped;

use super::reader::{Reader, link};

/// `s-…`: the shape alone, for counts to stand on; `r-…`: with its sign.
pub const SHAPES: &str = include_str!("assets/shapes.svg");

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 340.0;
/// Marks at the edge are whole.
const EDGE: f64 = 26.0;
/// Degrees: a single spot is shown with some hundred metres around it.
const LEAST_SPAN: f64 = 0.006;
const KM_A_DEGREE: f64 = 111.32;
/// About as wide as a letter of a name is.
const LETTER: f64 = 5.6;
const LABELS_MAX: usize = 40;
const LABEL_CHARS_MAX: usize = 22;

/// Where degrees stand on the sheet.
struct Projection {
    west: f64,
    north: f64,
    squeeze: f64,
    /// Pixels a degree of latitude.
    scale: f64,
    left: f64,
    top: f64,
}

impl Projection {
    /// All of it, as large as it goes, in the middle.
    fn fitted(bounds: Bounds) -> Self {
        let squeeze = bounds.squeeze();
        let (lat, lon) = bounds.middle();
        let high = (bounds.north - bounds.south).max(LEAST_SPAN);
        let wide = ((bounds.east - bounds.west) * squeeze).max(LEAST_SPAN);
        let scale = ((WIDTH - 2.0 * EDGE) / wide).min((HEIGHT - 2.0 * EDGE) / high);
        let (left, top) = (WIDTH / 2.0, HEIGHT / 2.0);
        Projection { west: lon, north: lat, squeeze, scale, left, top }
    }

    fn at(&self, (lat, lon): (f64, f64)) -> (f64, f64) {
        let x = self.left + (lon - self.west) * self.squeeze * self.scale;
        let y = self.top - (lat - self.north) * self.scale;
        (x, y)
    }
}

pub fn svg(overview: &Overview, part: &Part, reader: &Reader) -> String {
    let Some(bounds) = overview.places.iter().map(|p| Bounds::of(p.position)).reduce(Bounds::and) else {
        return format!("<p class=\"calm\">{}</p>", escaped(&reader.say("no-positions")));
    };
    let projection = Projection::fitted(bounds);
    let mut out = String::with_capacity(overview.places.len() * 320 + 2_000);
    let _ = writeln!(
        out,
        "<svg class=\"map\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"group\" aria-label=\"{}\">",
        escaped(&reader.say("map-label"))
    );
    net(&mut out);
    // The worst are drawn last: on top.
    let mut places: Vec<&Place> = overview.places.iter().collect();
    places.sort_by_key(|p| (std::cmp::Reverse(rank(p)), p.counts.total()));
    for place in &places {
        mark(&mut out, place, part, &projection, reader);
    }
    labels(&mut out, &places, &projection);
    scale_bar(&mut out, &projection, reader);
    out.push_str("</svg>");
    out
}

fn rank(place: &Place) -> usize {
    let worst = place.counts.worst();
    crate::domain::overview::WORST_FIRST.iter().position(|r| Some(*r) == worst).unwrap_or(usize::MAX)
}

/// Something for the eye to hold on to.
fn net(out: &mut String) {
    const STEP: usize = 60;
    let _ = write!(out, "<path class=\"net\" d=\"");
    for x in (STEP..WIDTH as usize).step_by(STEP) {
        let _ = write!(out, "M{x} 0V{HEIGHT}");
    }
    for y in (STEP..HEIGHT as usize).step_by(STEP) {
        let _ = write!(out, "M0 {y}H{WIDTH}");
    }
    out.push_str("\"/>\n");
}

fn radius(place: &Place) -> f64 {
    match place.counts.total() {
        0..=1 => 8.0,
        2..=9 => 10.0,
        10..=99 => 13.0,
        100..=999 => 16.0,
        _ => 20.0,
    }
}

fn mark(out: &mut String, place: &Place, part: &Part, projection: &Projection, reader: &Reader) {
    let worst = place.counts.worst().unwrap_or(Readiness::Unknown);
    let (x, y) = projection.at(place.position);
    let (units, radius) = (place.counts.total(), radius(place));
    let name = match (place.sites, place.site.is_empty(), &place.city) {
        (_, false, _) => place.site.clone(),
        (sites, true, Some(city)) => format!("{city}, {}", reader.count("n-sites", sites)),
        (sites, true, None) => reader.count("n-sites", sites),
    };
    let told: Vec<String> = crate::domain::overview::WORST_FIRST
        .iter()
        .filter(|r| place.counts.of(**r) > 0)
        .map(|r| format!("{} {}", place.counts.of(*r), reader.say(&format!("readiness-{r}"))))
        .collect();
    let title = format!("{name}: {}", told.join(", "));
    let _ = write!(
        out,
        "<a href=\"{}\" class=\"r-{worst}\" transform=\"translate({x:.1} {y:.1})\"",
        escaped(&href(place, part))
    );
    if let Some(unit) = &place.unit {
        let _ = write!(out, " data-unit=\"{unit}\"");
    }
    let _ = write!(out, "><title>{}</title><circle class=\"hit\" r=\"{:.0}\"/>", escaped(&title), radius + 5.0);
    let size = radius * 2.0;
    if units > 1 {
        let _ = write!(
            out,
            "<use href=\"#s-{worst}\" x=\"-{radius}\" y=\"-{radius}\" width=\"{size}\" height=\"{size}\"/>\
             <text y=\"4\">{units}</text>"
        );
    } else {
        let _ = write!(
            out,
            "<use href=\"#r-{worst}\" x=\"-{radius}\" y=\"-{radius}\" width=\"{size}\" height=\"{size}\"/>"
        );
    }
    out.push_str("</a>\n");
}

/// One button: its page. One site: its list. More: a nearer look.
fn href(place: &Place, part: &Part) -> String {
    if let Some(unit) = &place.unit {
        return format!("/units/{unit}");
    }
    let city = place.city.as_ref().map_or("", |c| c.as_str());
    if !place.site.is_empty() {
        return link("/units", [("site", place.site.as_str()), ("city", city)]);
    }
    if !place.has_parts() {
        return link("/units", [("city", city)]);
    }
    match (&place.city, &part.city) {
        (Some(city), None) if part.within.is_none() => link("/", [("city", city.as_str())]),
        _ => {
            // A metre more on each side: rounding must leave nobody out.
            const MORE: f64 = 0.000_05;
            let Bounds { south, west, north, east } = place.bounds;
            let within = format!(
                "{:.5},{:.5},{:.5},{:.5}",
                (south - MORE).max(-90.0),
                (west - MORE).max(-180.0),
                (north + MORE).min(90.0),
                (east + MORE).min(180.0)
            );
            link("/", [("city", part.city.as_ref().map_or("", |c| c.as_str())), ("within", &within)])
        }
    }
}

/// A rectangle on the sheet: left, top, right, bottom.
type Room = (f64, f64, f64, f64);

fn overlap(a: &Room, b: &Room) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// Names where there is room for them, the worst first.
fn labels(out: &mut String, places: &[&Place], projection: &Projection) {
    let room_of = |p: &&Place| {
        let ((x, y), r) = (projection.at(p.position), radius(p));
        (x - r, y - r, x + r, y + r)
    };
    let mut taken: Vec<Room> = places.iter().map(room_of).collect();
    for place in places.iter().rev().take(LABELS_MAX) {
        let name = match (place.site.is_empty(), &place.city) {
            (false, _) => place.site.as_str(),
            (true, Some(city)) if places.iter().filter(|p| p.city == place.city).count() == 1 => city.as_str(),
            (true, _) => continue,
        };
        let name: String = match name.chars().count() > LABEL_CHARS_MAX {
            true => name.chars().take(LABEL_CHARS_MAX - 1).chain(['…']).collect(),
            false => name.to_owned(),
        };
        let (x, y) = projection.at(place.position);
        let (gap, width) = (radius(place) + 4.0, name.chars().count() as f64 * LETTER);
        let sides = [("start", x + gap, x + gap), ("end", x - gap, x - gap - width)];
        let free = sides.into_iter().find(|(_, _, left)| {
            let room = (*left, y - 7.0, left + width, y + 6.0);
            *left >= 2.0 && left + width <= WIDTH - 2.0 && taken.iter().all(|t| !overlap(t, &room))
        });
        let Some((side, at, left)) = free else { continue };
        taken.push((left, y - 7.0, left + width, y + 6.0));
        let _ = writeln!(
            out,
            "<text class=\"label {side}\" x=\"{at:.1}\" y=\"{:.1}\" aria-hidden=\"true\">{}</text>",
            y + 3.5,
            escaped(&name)
        );
    }
}

fn scale_bar(out: &mut String, projection: &Projection, reader: &Reader) {
    const LONGEST: f64 = 120.0;
    let pixels_a_km = projection.scale / KM_A_DEGREE;
    let steps = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0];
    let km = steps.into_iter().rev().find(|km| km * pixels_a_km <= LONGEST).unwrap_or(steps[0]);
    let text = match km >= 1.0 {
        true => reader.count("km", km as usize),
        false => reader.count("m", (km * 1_000.0).round() as usize),
    };
    let (left, y, length) = (10.0, HEIGHT - 10.0, km * pixels_a_km);
    let _ = writeln!(
        out,
        "<g aria-hidden=\"true\"><path class=\"bar\" d=\"M{left} {0}v4h{length:.1}v-4\"/><text class=\"label start\" x=\"{left}\" \
         y=\"{1}\">{2}</text></g>",
        y - 4.0,
        y - 8.0,
        escaped(&text)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn north_is_up_east_is_right_and_everything_is_on_the_sheet() {
        let bounds = Bounds { south: 33.97, west: 71.45, north: 34.03, east: 71.62 };
        let projection = Projection::fitted(bounds);
        for at in [(33.97, 71.45), (34.03, 71.62), (33.97, 71.62), (34.0, 71.5)] {
            let (x, y) = projection.at(at);
            assert!((EDGE - 1e-6..=WIDTH - EDGE + 1e-6).contains(&x), "{at:?} {x}");
            assert!((EDGE - 1e-6..=HEIGHT - EDGE + 1e-6).contains(&y), "{at:?} {y}");
        }
        let (south_west, north_east) = (projection.at((33.97, 71.45)), projection.at((34.03, 71.62)));
        assert!(south_west.0 < north_east.0 && south_west.1 > north_east.1);
        // A kilometre is as long to the east as to the north.
        let km = 1.0 / KM_A_DEGREE;
        let (x0, y0) = projection.at((34.0, 71.5));
        let (x1, y1) = projection.at((34.0 + km, 71.5 + km / 34.0f64.to_radians().cos()));
        assert!(((x1 - x0) - (y0 - y1)).abs() < 0.05, "{} {}", x1 - x0, y0 - y1);
    }

    #[test]
    fn one_spot_is_in_the_middle() {
        let projection = Projection::fitted(Bounds::of((34.0, 71.5)));
        assert_eq!(projection.at((34.0, 71.5)), (WIDTH / 2.0, HEIGHT / 2.0));
    }
}
