//! Texts that many rows hold: a million units stand in a few thousand cities, crews and circuits. Owns how such a text is kept
//! once and pointed at. Never says what a text may be: `ids` does.

use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One word wide, cheap to clone. Behaves like the `str` it holds.
// The box makes the pointer thin: a unit has nine of these.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SharedText(Arc<Box<str>>);

impl SharedText {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for SharedText {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}
impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        SharedText(Arc::new(text.into()))
    }
}
impl From<String> for SharedText {
    fn from(text: String) -> Self {
        SharedText(Arc::new(text.into()))
    }
}
impl From<SharedText> for String {
    fn from(text: SharedText) -> String {
        text.as_str().to_owned()
    }
}
impl fmt::Display for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}
impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Makes equal texts one. A text lives as long as somebody holds it.
#[derive(Debug)]
pub struct Pool {
    texts: HashSet<SharedText>,
    /// So many texts, and it is time to look for those that nobody else holds.
    let_go_at: usize,
}

/// A fleet has a few dozen versions; a unit that says another one each time must not fill the memory.
const LET_GO: usize = 1000;

impl Default for Pool {
    fn default() -> Self {
        Pool { texts: HashSet::new(), let_go_at: LET_GO }
    }
}

impl Pool {
    /// The one text that says this. Texts that nobody else holds any more are let go as they become many.
    pub fn get(&mut self, text: &str) -> SharedText {
        let new = SharedText::from(text);
        if let Some(known) = self.texts.get(&new) {
            return known.clone();
        }
        if self.texts.len() >= self.let_go_at {
            self.texts.retain(|held| Arc::strong_count(&held.0) > 1);
            self.let_go_at = (2 * self.texts.len()).max(LET_GO);
        }
        self.texts.insert(new.clone());
        new
    }
    pub fn share(&mut self, text: &mut SharedText) {
        match self.texts.get(text) {
            Some(known) => *text = known.clone(),
            None => drop(self.texts.insert(text.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_nobody_holds_are_let_go() {
        let mut pool = Pool::default();
        let held = pool.get("2.4.1");
        for n in 0..10 * LET_GO {
            let _ = pool.get(&format!("build {n}"));
        }
        assert!(pool.texts.len() <= LET_GO);
        assert!(std::ptr::eq(held.as_str(), pool.get("2.4.1").as_str()));
    }

    #[test]
    fn equal_texts_become_one_text_of_one_word() {
        let mut pool = Pool::default();
        let [mut a, mut b, mut other] = ["Saddar", "Saddar", "saddar"].map(SharedText::from);
        for text in [&mut a, &mut b, &mut other] {
            pool.share(text);
        }
        assert_eq!((a.as_str(), b.as_str(), other.as_str()), ("Saddar", "Saddar", "saddar"));
        assert!(std::ptr::eq(a.as_str(), b.as_str()));
        assert_eq!(size_of::<Option<SharedText>>(), size_of::<usize>());
    }
}
