//! The results of rule tests, for people and programs. Never runs one.

use serde::Serialize;

use crate::domain::Timestamp;

use super::table::{Look, Record, fit, wrapped};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    pub file: String,
    pub line: u32,
    pub test: String,
    /// Of its virtual time.
    pub start: Timestamp,
    pub expectations: usize,
    /// Empty: it passed.
    pub misses: Vec<Miss>,
}

impl TestResult {
    pub fn passed(&self) -> bool {
        self.misses.is_empty()
    }
}

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    pub line: u32,
    pub expected: String,
    pub got: String,
    /// The timeline around it.
    pub around: Vec<Moment>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    pub at: Timestamp,
    pub after_ms: u64,
    pub text: String,
}

/// One row an expectation that was not met; one row for a test that passed.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultLine<'a> {
    result: &'a TestResult,
    miss: Option<&'a Miss>,
}

impl<'a> ResultLine<'a> {
    pub fn of(results: &'a [TestResult]) -> Vec<ResultLine<'a>> {
        let lines = |result: &'a TestResult| {
            let passed = result.passed().then_some(ResultLine { result, miss: None });
            passed.into_iter().chain(result.misses.iter().map(move |m| ResultLine { result, miss: Some(m) }))
        };
        results.iter().flat_map(lines).collect()
    }
}

impl Record for ResultLine<'_> {
    const FIELDS: &'static [&'static str] = &["file", "line", "test", "result", "expected", "got"];
    fn values(&self) -> Vec<String> {
        let TestResult { file, line, test, .. } = self.result;
        let word = if self.miss.is_some() { "failed" } else { "passed" };
        let (expected, got) = self.miss.map(|m| (m.expected.clone(), m.got.clone())).unwrap_or_default();
        vec![
            file.clone(),
            self.miss.map_or(*line, |m| m.line).to_string(),
            test.clone(),
            word.to_owned(),
            expected,
            got,
        ]
    }
}

/// What failed with its timeline, then one line a file, then the sum.
pub fn results(results: &[TestResult], look: &Look) -> String {
    let mut lines: Vec<String> = Vec::new();
    for result in results.iter().filter(|r| !r.passed()) {
        lines.extend(wrapped("FAILED  ", &format!("{}:{}", result.file, result.line), look));
        lines.extend(wrapped("  ", &result.test, look));
        for miss in &result.misses {
            lines.extend(wrapped(&format!("  line {}: expected ", miss.line), &miss.expected, look));
            lines.extend(wrapped("           got ", &miss.got, look));
            for moment in &miss.around {
                lines.extend(wrapped(&format!("    {:>11}  ", offset(moment.after_ms)), &moment.text, look));
            }
            if miss.around.is_empty() {
                lines.push("    nothing was decided in this test".to_owned());
            }
        }
        lines.push(String::new());
    }
    let mut files: Vec<&str> = results.iter().map(|r| r.file.as_str()).collect();
    files.dedup();
    for file in &files {
        let of_file: Vec<&TestResult> = results.iter().filter(|r| r.file == *file).collect();
        let failed = of_file.iter().filter(|r| !r.passed()).count();
        let verdict = if failed == 0 { "all passed".to_owned() } else { format!("{failed} failed") };
        lines.push(fit(&format!("{file}: {}, {verdict}", tests(of_file.len())), look.width));
    }
    if files.len() > 1 {
        let failed = results.iter().filter(|r| !r.passed()).count();
        let verdict = if failed == 0 { "all passed".to_owned() } else { format!("{failed} failed") };
        lines.push(fit(&format!("{} in {} files, {verdict}", tests(results.len()), files.len()), look.width));
    }
    lines.into_iter().map(|l| l.trim_end().to_owned() + "\n").collect()
}

fn tests(n: usize) -> String {
    if n == 1 { "1 test".to_owned() } else { format!("{n} tests") }
}

/// `0:35:00`, `2d 01:05:00`: since the start.
fn offset(ms: u64) -> String {
    let s = ms / 1000;
    let (days, h, m, s) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    if days == 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{days}d {h:02}:{m:02}:{s:02}") }
}
