//! Asks InfluxDB for history, in InfluxQL: InfluxDB 1 and 2 and 3 know it. Never writes.

use thiserror::Error;

use super::verdict::{message, reason};
use super::{InfluxConfig, InfluxError, http_client};

/// An answer is read up to here. A million points are some 30 MB.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum QueryError {
    #[error("InfluxDB does not answer: {0}; look whether it runs, and at url in [influx]")]
    Unreachable(String),
    #[error("InfluxDB answers {status} {said}: give the token the right to read, or run `buttonwatch influx setup`")]
    Forbidden { status: u16, said: String },
    #[error("InfluxDB answers {status} {said}")]
    Refused { status: u16, said: String },
    #[error("InfluxDB's answer is longer than 32 MiB; ask for a shorter time")]
    TooLong,
    #[error("InfluxDB's answer is not one: {0}; look at url in [influx], and any proxy before it")]
    NoAnswer(String),
}

/// Reads points of the database of `[influx]`.
#[derive(Clone)]
pub struct InfluxReader {
    client: reqwest::Client,
    url: reqwest::Url,
    token: String,
    database: String,
}

impl InfluxReader {
    pub fn new(config: &InfluxConfig) -> Result<InfluxReader, InfluxError> {
        let mut url = super::checked_url(&config.url)?;
        url.set_path("/query");
        let client = http_client(&config.server())?.build();
        let client = client.map_err(|e| InfluxError::Client { why: reason(e) })?;
        Ok(InfluxReader { client, url, token: config.token.clone(), database: config.database.clone() })
    }

    /// Time in ms and the first column, of all series of the answer, in its order; rows without a number are left out.
    /// Names and texts from outside go through [`quote_text`] and [`quote_name`].
    pub async fn select(&self, influxql: &str) -> Result<Vec<(i64, f64)>, QueryError> {
        let answer = self.ask(influxql).await?;
        let mut points = Vec::new();
        let results = answer["results"].as_array().ok_or_else(|| QueryError::NoAnswer("without results".to_owned()))?;
        for series in results.iter().filter_map(|r| r["series"].as_array()).flatten() {
            let rows = series["values"].as_array().into_iter().flatten();
            points.extend(rows.filter_map(|row| Some((row[0].as_i64()?, row[1].as_f64()?))));
        }
        Ok(points)
    }

    /// The whole answer, times in ms.
    async fn ask(&self, influxql: &str) -> Result<serde_json::Value, QueryError> {
        let unreachable = |e| QueryError::Unreachable(reason(e));
        let asked = [("db", self.database.as_str()), ("epoch", "ms"), ("q", influxql)];
        let mut request = self.client.get(self.url.clone()).query(&asked);
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Token {}", self.token));
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(QueryError::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        let status = answer.status().as_u16();
        let said = || message(&String::from_utf8_lossy(&body));
        match status {
            200 => {}
            401 | 403 | 404 => return Err(QueryError::Forbidden { status, said: said() }),
            _ => return Err(QueryError::Refused { status, said: said() }),
        }
        let json: serde_json::Value = serde_json::from_slice(&body).map_err(|e| QueryError::NoAnswer(e.to_string()))?;
        let wrong = json["results"].as_array().into_iter().flatten().find_map(|r| r["error"].as_str());
        match wrong {
            Some(said) => Err(QueryError::Refused { status, said: message(said) }),
            None => Ok(json),
        }
    }
}

/// A text of InfluxQL: `'PSH-001'`. Whatever it holds, it stays one text.
pub fn quote_text(text: &str) -> String {
    quote(text, '\'')
}

/// A name of InfluxQL, such as a field's: `"5m"`.
pub fn quote_name(name: &str) -> String {
    quote(name, '"')
}

fn quote(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            c if c == mark => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_text_whatever_it_holds() {
        assert_eq!(quote_text("PSH-001"), "'PSH-001'");
        assert_eq!(quote_text("x' OR 1=1 --"), "'x\\' OR 1=1 --'");
        assert_eq!(quote_text("x\\' OR"), "'x\\\\\\' OR'");
        assert_eq!(quote_text("a\nb\"c"), "'a\\nb\"c'");
        assert_eq!(quote_name("5m"), "\"5m\"");
        assert_eq!(quote_name("x.a\"b'c"), "\"x.a\\\"b'c\"");
    }
}
