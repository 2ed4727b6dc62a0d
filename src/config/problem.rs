//! One mistake in a file: place, reason, remedy. All of a file's mistakes are gathered before any is shown.
//! Never decides what is a mistake.

use std::fmt;

/// `alerts.toml:14: rule "battery-low": clear_above must be above 11.6 V (got 11.5); raise it or drop it`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// As the person named it.
    pub file: String,
    /// Counted from 1. None: the file as a whole.
    pub line: Option<u32>,
    /// What is wrong and what to write instead, in one line.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// All mistakes of one file, at least one: those of the file as a whole first, then by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None: there are none. The same sentence about the same line is kept once.
    pub fn gather(mut list: Vec<Problem>) -> Option<Problems> {
        // Stable: problems of one line stay in the order in which they were found.
        list.sort_by_key(|p| p.line);
        let mut kept: Vec<Problem> = Vec::with_capacity(list.len());
        for problem in list {
            let same_line = kept.iter().rev().take_while(|k| k.line == problem.line);
            if !same_line.into_iter().any(|k| *k == problem) {
                kept.push(problem);
            }
        }
        if kept.is_empty() { None } else { Some(Problems(kept)) }
    }

    /// A file with this one mistake.
    pub fn one(file: &str, line: Option<u32>, what: impl Into<String>) -> Problems {
        Problems(vec![Problem { file: file.to_owned(), line, what: what.into() }])
    }

    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// Each as one line of text.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(Problem::to_string).collect()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: Option<u32>, what: &str) -> Problem {
        Problem { file: "alerts.toml".to_owned(), line, what: what.to_owned() }
    }

    #[test]
    fn problems_are_shown_one_a_line_in_the_order_of_the_file() {
        let problems = Problems::gather(vec![at(Some(9), "b"), at(Some(2), "a"), at(None, "whole"), at(Some(9), "b")]);
        let text = problems.expect("there are some").to_string();
        assert_eq!(text, "alerts.toml: whole\nalerts.toml:2: a\nalerts.toml:9: b");
    }

    #[test]
    fn no_problem_is_no_error() {
        assert_eq!(Problems::gather(Vec::new()), None);
    }
}
