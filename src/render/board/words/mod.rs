//! The board's languages: the two that the program carries, and those that an operator puts beside them. Owns how a file of
//! words is checked and what is said where a word is missing. Never reads a file.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// The program's own: code and words. The first is what every other falls back to.
const CARRIED: [(&str, &str); 2] = [(ENGLISH, include_str!("en.ftl")), ("ur", include_str!("ur.ftl"))];
const ENGLISH: &str = "en";

/// Written from the right to the left, unless their file says otherwise (`language-direction`).
const FROM_THE_RIGHT: [&str; 12] = ["ar", "bal", "ckb", "dv", "fa", "he", "khw", "ks", "ps", "sd", "ug", "ur"];

/// Scripts that say where they run: `pnb` in Arabic letters, say.
const SCRIPTS_FROM_THE_RIGHT: [&str; 4] = ["Arab", "Aran", "Hebr", "Thaa"];

/// Begins what Fluent has filled in: its direction is that of its first letter, parts of its own left out.
const ISOLATE: char = '\u{2068}';
const RIGHT_TO_LEFT: char = '\u{200f}';

/// All languages that there are.
pub struct Words {
    languages: Vec<Arc<Language>>,
}

/// One language with those it falls back to.
pub struct Language {
    /// `ur`, `ps`, `pa-Arab`: as it stands in `lang="…"`.
    pub code: String,
    /// In itself: `اردو`.
    pub name: String,
    pub from_the_right: bool,
    /// Asked in turn.
    bundles: Vec<FluentBundle<FluentResource>>,
}

/// What is wrong with an operator's file of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordsProblem {
    pub file: String,
    /// None: with the file as a whole.
    pub line: Option<usize>,
    pub what: String,
}

impl fmt::Display for WordsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        let carried = Words::check(&[]);
        carried.unwrap_or_else(|problems| unreachable!("the words that we carry have no mistakes: {problems:?}"))
    }
}

impl Words {
    /// `own`: name (`ps.ftl`) and text of the operator's files. Err: every mistake of every file.
    pub fn check(own: &[(String, String)]) -> Result<Words, Vec<WordsProblem>> {
        let mut problems = Vec::new();
        let mut codes: Vec<String> = CARRIED.iter().map(|(code, _)| (*code).to_owned()).collect();
        let mut texts: Vec<(String, &str)> = Vec::new();
        for (file, text) in own {
            match code_of(file) {
                Ok(code) => {
                    problems.extend(check_file(file, text));
                    if !codes.contains(&code) {
                        codes.push(code.clone());
                    }
                    texts.push((code, text));
                }
                Err(what) => problems.push(WordsProblem { file: file.clone(), line: None, what }),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let own_text = |code: &str| texts.iter().find(|(c, _)| c == code).map(|(_, text)| *text);
        let carried = |code: &str| CARRIED.iter().find(|(c, _)| *c == code).map(|(_, text)| *text);
        let languages = codes.iter().map(|code| {
            let right = is_from_the_right(code);
            let sources = [
                (code.as_str(), own_text(code)),
                (code.as_str(), carried(code)),
                // An operator's own English counts wherever there is no word of the language itself.
                (ENGLISH, own_text(ENGLISH).filter(|_| code != ENGLISH)),
                (ENGLISH, carried(ENGLISH).filter(|_| code != ENGLISH)),
            ];
            let bundles =
                sources.iter().filter_map(|(code, text)| Some(bundle(code, (*text)?, right))).collect::<Vec<_>>();
            let mut language = Language { code: code.clone(), name: code.clone(), from_the_right: right, bundles };
            let own_name = bundles_own(&language, "language-name");
            language.name = own_name.unwrap_or_else(|| code.clone());
            if let Some(direction) = bundles_own(&language, "language-direction") {
                language.from_the_right = direction == "rtl";
            }
            Arc::new(language)
        });
        Ok(Words { languages: languages.collect() })
    }

    pub fn all(&self) -> impl Iterator<Item = &Language> {
        self.languages.iter().map(AsRef::as_ref)
    }

    pub fn english(&self) -> Arc<Language> {
        Arc::clone(self.languages.first().expect("English is carried"))
    }

    /// None: there is no such language.
    pub fn find(&self, code: &str) -> Option<Arc<Language>> {
        self.languages.iter().find(|l| l.code.eq_ignore_ascii_case(code)).cloned()
    }

    /// What a browser says it wants: `ur-PK,ur;q=0.9,en;q=0.8`. None: nothing of it is here.
    pub fn accepted(&self, header: &str) -> Option<Arc<Language>> {
        let mut wanted: Vec<(u32, usize, &str)> = header
            .split(',')
            .take(32)
            .enumerate()
            .filter_map(|(place, part)| {
                let mut parts = part.split(';').map(str::trim);
                let tag = parts.next().filter(|tag| !tag.is_empty())?;
                let weight = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f64>().ok())?;
                let weight = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
                (weight > 0).then_some((1000 - weight, place, tag))
            })
            .collect();
        wanted.sort_unstable();
        wanted.into_iter().find_map(|(_, _, tag)| {
            let base = tag.split('-').next().unwrap_or(tag);
            self.find(tag).or_else(|| self.find(base))
        })
    }

    /// What the operator's files leave to English: language and how many words.
    pub fn gaps(&self) -> Vec<(String, usize)> {
        let keys: Vec<String> = entries(CARRIED[0].1).into_iter().map(|e| e.key).collect();
        let gap = |l: &Arc<Language>| {
            let missing = keys.iter().filter(|key| !l.has_own(key)).count();
            (missing > 0).then(|| (l.code.clone(), missing))
        };
        self.languages.iter().filter_map(gap).collect()
    }
}

impl Language {
    /// The words of a key; the key itself where there are none in any language.
    pub fn say(&self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        for bundle in &self.bundles {
            let Some(pattern) = bundle.get_message(key).and_then(|m| m.value()) else { continue };
            let mut mistakes = Vec::new();
            let said = bundle.format_pattern(pattern, args, &mut mistakes);
            if mistakes.is_empty() {
                // Fluent isolates what is filled in. A text of such parts alone would run from the left inside another one.
                let has_parts = self.from_the_right && said.contains(ISOLATE);
                return if has_parts { format!("{RIGHT_TO_LEFT}{said}") } else { said.into_owned() };
            }
        }
        key.to_owned()
    }

    pub fn knows(&self, key: &str) -> bool {
        self.bundles.iter().any(|b| b.has_message(key))
    }

    #[cfg(test)]
    pub fn keys(&self) -> Vec<String> {
        entries(CARRIED[0].1).into_iter().map(|e| e.key).collect()
    }

    fn has_own(&self, key: &str) -> bool {
        let own = self.bundles.iter().filter(|b| b.locales.iter().any(|l| l.to_string() == self.code));
        own.into_iter().any(|b| b.has_message(key))
    }

    pub fn direction(&self) -> &'static str {
        if self.from_the_right { "rtl" } else { "ltr" }
    }
}

/// Not what it falls back to: a language has no other's name.
fn bundles_own(language: &Language, key: &str) -> Option<String> {
    language.has_own(key).then(|| language.say(key, None))
}

fn is_from_the_right(code: &str) -> bool {
    let mut parts = code.split('-');
    let base = parts.next().unwrap_or(code);
    match parts.find(|part| part.len() == 4) {
        Some(script) => SCRIPTS_FROM_THE_RIGHT.contains(&script),
        None => FROM_THE_RIGHT.contains(&base),
    }
}

/// Err: the file's name names no language.
fn code_of(file: &str) -> Result<String, String> {
    let remedy = "name it after the language's code, such as ps.ftl or pa-Arab.ftl";
    let stem = file.strip_suffix(".ftl").ok_or_else(|| format!("is not a file of words; {remedy}"))?;
    let tag: LanguageIdentifier = stem.parse().map_err(|_| format!("{stem:?} is no language; {remedy}"))?;
    Ok(tag.to_string())
}

fn bundle(code: &str, text: &str, isolating: bool) -> FluentBundle<FluentResource> {
    let tag = code.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // In a line that runs from the right, a number or an id between marks stays whole.
    bundle.set_use_isolating(isolating);
    // What can be read of a file with mistakes: the mistakes were told before.
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(part, _)| part);
    bundle.add_resource_overriding(resource);
    bundle
}

/// One message of a file: its key, where it begins, and the variables it names.
struct Entry {
    key: String,
    line: usize,
    variables: BTreeSet<String>,
}

fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if let Some((key, _)) = line.split_once('=')
            && key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.trim_end().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        {
            entries.push(Entry { key: key.trim_end().to_owned(), line: at + 1, variables: BTreeSet::new() });
        }
        if let Some(entry) = entries.last_mut() {
            entry.variables.extend(variables(line));
        }
    }
    entries
}

/// The names behind `$`.
fn variables(line: &str) -> impl Iterator<Item = String> {
    line.split('$').skip(1).map(|rest| {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
    })
}

/// Every mistake of an operator's file. A word that is missing is none.
fn check_file(file: &str, text: &str) -> Vec<WordsProblem> {
    let problem = |line: usize, what: String| WordsProblem { file: file.to_owned(), line: Some(line), what };
    if let Err((_, mistakes)) = FluentResource::try_new(text.to_owned()) {
        let line = |at: usize| text.get(..at.min(text.len())).map_or(1, |before| before.matches('\n').count() + 1);
        return mistakes
            .iter()
            .map(|e| {
                let what = format!("cannot be read: {}; a line looks like `sign-in = Sign in`", e.kind);
                problem(line(e.slice.as_ref().map_or(e.pos.start, |s| s.start.max(e.pos.start))), what)
            })
            .collect();
    }
    let known = entries(CARRIED[0].1);
    let mut problems = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for entry in entries(text) {
        if !seen.insert(entry.key.clone()) {
            problems.push(problem(entry.line, format!("{} is there twice; keep one", entry.key)));
        }
        let Some(ours) = known.iter().find(|k| k.key == entry.key) else {
            let near = known.iter().map(|k| k.key.as_str()).min_by_key(|k| strsim::damerau_levenshtein(k, &entry.key));
            let hint = near
                .filter(|k| strsim::damerau_levenshtein(k, &entry.key) <= 3)
                .map_or("take it out".to_owned(), |k| format!("did you mean {k}?"));
            problems.push(problem(entry.line, format!("the board says nothing called {}; {hint}", entry.key)));
            continue;
        };
        for variable in entry.variables.difference(&ours.variables) {
            let known: Vec<String> = ours.variables.iter().map(|v| format!("${v}")).collect();
            let remedy = match known.as_slice() {
                [] => "it has none".to_owned(),
                known => format!("it has {}", known.join(", ")),
            };
            problems.push(problem(entry.line, format!("{} has no ${variable}; {remedy}", entry.key)));
        }
    }
    problems
}
