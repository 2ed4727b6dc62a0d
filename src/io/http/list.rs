//! Lists: which rows (`filter`, `sort`), how many (`limit`, `after`), and whether they are news at all (`ETag`).
//! Never knows what is in a row.

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::config::place::parse_place;
use crate::config::query::{check_field, check_query};
use crate::domain::query::{Cursor, Field, Page, Query, UnitField};

use super::endpoint::{Form, Parameter};
use super::problem::{Kind, Problem};
use super::question::Question;

/// One answer of 1,000 units is some 500 KB: enough for every city, and a phone can take it.
pub const LIMIT_DEFAULT: usize = 1_000;
pub const LIMIT_MAX: usize = 10_000;
/// A cursor holds a key and a text of the fleet file.
const CURSOR_CHARS_MAX: usize = 4_096;

pub const PARAMETERS: [&str; 4] = ["filter", "sort", "limit", "after"];

pub fn described() -> [Parameter; 4] {
    let described = |name, form, meaning| Parameter { name, form, meaning, required: false };
    [
        described("filter", Form::Texts, "Only rows of which this is so: city=peshawar readiness!=ready"),
        described("sort", Form::Text, "In the order of this field; -since: largest first"),
        described("limit", Form::Count { most: LIMIT_MAX }, "At most so many rows; 1,000 if it is not said"),
        described("after", Form::Text, "Where the page begins: only from a Link header"),
    ]
}

/// What a list was asked with.
pub fn check_list<F: Field>(question: &mut Question) -> Result<Query<F>, Problem> {
    let filters = question.take_all("filter");
    let sort = question.take("sort");
    let invalid = |problems: Vec<String>| {
        let remedy = "Correct what `problems` lists; docs/cli.md describes the language.";
        Problem::new(Kind::BadRequest, told(&problems), remedy).with_problems(problems)
    };
    let mut query = check_query::<F>(&filters, sort.as_deref()).map_err(invalid)?;
    query.limit = Some(limit(question)?);
    query.after = question.take("after").map(|text| cursor(&text)).transpose()?;
    Ok(query)
}

/// `near=34.0086,71.5743`: an order of its own.
pub fn check_near(question: &mut Question, is_sorted: bool) -> Result<Option<(f64, f64)>, Problem> {
    let Some(text) = question.take("near") else { return Ok(None) };
    let invalid = |what: String, remedy: &str| Err(Problem::new(Kind::BadRequest, what, remedy));
    match parse_place(&text) {
        Ok(_) if is_sorted => invalid("near and sort are both given.".to_owned(), "Leave one of them out."),
        Ok(place) => Ok(Some(place)),
        Err(why) => invalid(format!("near: {why}."), "Write latitude and longitude in degrees: near=34.0086,71.5743"),
    }
}

/// `readings=battery.voltage,link.rssi`, `texts=address,firmware`: what the rows of units should also tell.
pub fn check_also(question: &mut Question) -> Result<Vec<UnitField>, Problem> {
    let (mut fields, mut problems) = (Vec::new(), Vec::new());
    for of in ["readings", "texts"] {
        let text = question.take(of).unwrap_or_default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match (check_field(name), of) {
                (Ok(field @ UnitField::Column(column)), "texts") if column.is_on_request() => fields.push(field),
                (Ok(UnitField::Column(column)), _) if column.is_on_request() => {
                    problems.push(format!("{0} is no reading: write texts={0}", column.as_str()));
                }
                (Ok(UnitField::Column(column)), _) => {
                    problems.push(format!("{} is in every row and no reading", column.as_str()));
                }
                (Ok(field), "texts") => problems.push(format!("{0} is a reading: write readings={0}", field.name())),
                (Ok(field), _) => fields.push(field),
                (Err(problem), _) => problems.push(problem),
            }
        }
    }
    if problems.is_empty() {
        return Ok(fields);
    }
    let remedy = "Write readings=battery.voltage,link.rssi (`rules metrics` lists them) and texts=address,firmware.";
    Err(Problem::new(Kind::BadRequest, told(&problems), remedy).with_problems(problems))
}

fn told(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => format!("{} mistakes in what was asked for.", many.len()),
    }
}

fn limit(question: &mut Question) -> Result<usize, Problem> {
    let Some(text) = question.take("limit") else { return Ok(LIMIT_DEFAULT) };
    match text.parse() {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Ok(_) | Err(_) => Err(Problem::new(
            Kind::BadRequest,
            format!("limit is {text:?}."),
            format!("Write a number from 1 to {LIMIT_MAX}; without it, it is {LIMIT_DEFAULT}."),
        )),
    }
}

pub fn cursor(text: &str) -> Result<Cursor, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|_| text.len() <= CURSOR_CHARS_MAX);
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        Problem::new(
            Kind::BadRequest,
            "after is no place in this list.",
            "Take the whole address of the next page from the Link header of the page before.",
        )
    })
}

pub fn cursor_text(cursor: &Cursor) -> String {
    let json = serde_json::to_vec(cursor).expect("a cursor is strings and a number");
    URL_SAFE_NO_PAD.encode(json)
}

/// The address of the next page: the same question, behind the last row.
fn next_page(uri: &Uri, next: &Cursor) -> String {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name != "after");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .append_pair("after", &cursor_text(next))
        .finish();
    format!("{}?{query}", uri.path())
}

/// A page as a JSON array; where the next one is stands in the head. 304 when the asker has it already.
pub fn render_page<T: Serialize>(page: &Page<T>, uri: &Uri, asked_with: &HeaderMap) -> Response {
    let next = page.next.as_ref().map(|next| next_page(uri, next));
    render_rows(&page.items, page.total, next.as_deref(), asked_with)
}

/// All rows, without pages.
pub fn render_whole<T: Serialize>(rows: &[T], asked_with: &HeaderMap) -> Response {
    render_rows(rows, rows.len(), None, asked_with)
}

fn render_rows<T: Serialize>(rows: &[T], total: usize, next: Option<&str>, asked_with: &HeaderMap) -> Response {
    let body = serde_json::to_vec(rows).expect("rows are strings, numbers and lists of them");
    let mut headers = HeaderMap::new();
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&body)[..16]));
    let has_it = asked_with.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).any(|tags| {
        // A proxy that packs answers makes a tag weak: `W/"…"`.
        tags.split(',').map(|t| t.trim().trim_start_matches("W/")).any(|t| t == tag || t == "*")
    });
    let ascii = "a tag, a number and an encoded address are ASCII";
    headers.insert(header::ETAG, HeaderValue::try_from(tag).expect(ascii));
    // May be kept, but must be asked about each time.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert("x-total-count", HeaderValue::from(total));
    if let Some(next) = next {
        let link = format!("<{next}>; rel=\"next\"");
        headers.insert(header::LINK, HeaderValue::try_from(link).expect(ascii));
    }
    if has_it {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (StatusCode::OK, headers, body).into_response()
}
