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

/// Makes equal texts one. Dropped when the rows are through: the texts live as long as their rows.
#[derive(Debug, Default)]
pub struct Pool(HashSet<SharedText>);

impl Pool {
    pub fn share(&mut self, text: &mut SharedText) {
        match self.0.get(text) {
            Some(known) => *text = known.clone(),
            None => drop(self.0.insert(text.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
