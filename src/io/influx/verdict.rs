//! What an answer to a write means, and what follows from it. Never sends anything.

use std::error::Error;
use std::time::Duration;

use influxdb2::RequestError;

/// How a try to write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// 204.
    Written,
    /// 400: at least one line of it is no line protocol.
    Refused,
    /// 413.
    TooLarge,
    /// 422: lines outside the bucket's retention, or with a field of another type; the others are written.
    Unprocessable,
    /// 401, 403, 404, and answers that InfluxDB never gives: a person must mend something.
    Held,
    /// 429, 5xx.
    Busy,
    Timeout,
    /// No connection, or it broke.
    Unreachable,
}

impl Outcome {
    pub const ALL: [Outcome; 8] = [
        Outcome::Written,
        Outcome::Refused,
        Outcome::TooLarge,
        Outcome::Unprocessable,
        Outcome::Held,
        Outcome::Busy,
        Outcome::Timeout,
        Outcome::Unreachable,
    ];

    /// As a label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Written => "written",
            Outcome::Refused => "refused",
            Outcome::TooLarge => "too-large",
            Outcome::Unprocessable => "unprocessable",
            Outcome::Held => "held",
            Outcome::Busy => "busy",
            Outcome::Timeout => "timeout",
            Outcome::Unreachable => "unreachable",
        }
    }
}

/// What is wrong, and for [`Outcome::Held`] what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub outcome: Outcome,
    pub text: String,
    /// Of a 422: how many lines the server says it left out. None: it does not say.
    pub left_out: Option<u32>,
}

/// A server's or a proxy's whole page is of no use in a log.
const TEXT_MAX: usize = 400;

pub(super) fn judge(answer: Result<(), RequestError>, bucket: &str, timeout: Duration) -> Verdict {
    let verdict = |outcome, text: String| Verdict { outcome, text, left_out: None };
    match answer {
        Ok(()) => verdict(Outcome::Written, String::new()),
        Err(RequestError::Http { status, text }) => judge_status(status.as_u16(), &text, bucket),
        Err(RequestError::ReqwestProcessing { source }) if source.is_timeout() => {
            verdict(Outcome::Timeout, format!("no answer within {} s", timeout.as_secs_f64()))
        }
        Err(RequestError::ReqwestProcessing { source }) => verdict(Outcome::Unreachable, reason(source)),
        // A write neither sends nor reads JSON.
        Err(error @ (RequestError::Serializing { .. } | RequestError::Deserializing { .. })) => {
            verdict(Outcome::Unreachable, error.to_string())
        }
    }
}

fn judge_status(status: u16, body: &str, bucket: &str) -> Verdict {
    let said = message(body);
    let outcome = match status {
        400 => Outcome::Refused,
        413 => Outcome::TooLarge,
        422 => Outcome::Unprocessable,
        429 | 500..=599 => Outcome::Busy,
        _ => Outcome::Held,
    };
    let text = match status {
        401 => format!("401 {said}: the token is unknown; put a valid one into the file of token_file in [influx]"),
        403 => format!("403 {said}: the token may not write to the bucket {bucket}; give it that right in InfluxDB"),
        404 => format!(
            "404 {said}: there is no bucket {bucket}, or no such organization; run `buttonwatch influx setup`, and check url, \
             org and bucket in [influx]"
        ),
        400 | 413 | 422 | 429 | 500..=599 => format!("{status} {said}"),
        _ => format!("{status} {said}: InfluxDB never answers so; check url in [influx], and any proxy before it"),
    };
    Verdict { outcome, text, left_out: (status == 422).then(|| left_out(body)).flatten() }
}

/// InfluxDB's own words out of its JSON, on one line.
pub(super) fn message(body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let words = |key: &str| json.as_ref().and_then(|j| j[key].as_str()).map(str::to_owned);
    let text = words("message").or_else(|| words("error")).unwrap_or_else(|| body.to_owned());
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_MAX).collect();
    let one_line = one_line.trim();
    if one_line.is_empty() { "(without a word)".to_owned() } else { one_line.to_owned() }
}

/// `partial write: … dropped=3`.
fn left_out(body: &str) -> Option<u32> {
    let (_, after) = body.rsplit_once("dropped=")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The error with its causes, without the address: the log line has it already.
pub(super) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        for (status, outcome) in [
            (200, Outcome::Held),
            (302, Outcome::Held),
            (400, Outcome::Refused),
            (401, Outcome::Held),
            (403, Outcome::Held),
            (404, Outcome::Held),
            (405, Outcome::Held),
            (413, Outcome::TooLarge),
            (422, Outcome::Unprocessable),
            (429, Outcome::Busy),
            (500, Outcome::Busy),
            (503, Outcome::Busy),
        ] {
            assert_eq!(judge_status(status, "", "b/raw").outcome, outcome, "{status}");
        }
    }

    #[test]
    fn the_servers_words_are_told_and_a_missing_bucket_has_its_remedy() {
        let verdict = judge_status(404, r#"{"code":"not found","message":"bucket \"b/raw\" not found"}"#, "b/raw");
        assert_eq!(
            verdict.text,
            "404 bucket \"b/raw\" not found: there is no bucket b/raw, or no such organization; run `buttonwatch influx setup`, \
             and check url, org and bucket in [influx]"
        );
    }

    #[test]
    fn a_partial_write_tells_how_many_lines_were_left_out() {
        let body = r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=3"}"#;
        assert_eq!(judge_status(422, body, "b/raw").left_out, Some(3));
        assert_eq!(judge_status(422, "{}", "b/raw").left_out, None);
        assert_eq!(judge_status(400, body, "b/raw").left_out, None);
    }
}
