//! A version as a unit says it. Owns how it is kept: a heartbeat carries two, so the usual short one costs no allocation.
//! Never compares which is newer: vendors count as they like.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Any text: `2.4.1`, `PB-1 rev C`, `2.4.1-rc1+8f0c22d`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Version(Kept);

/// As many bytes as fit beside a boxed text's place: a version of three numbers, a build and a short commit.
const SHORT: usize = 22;

// A short text is never boxed, and what stands behind it is zero: equal texts are equal values.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kept {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl Version {
    /// Up to 16 letters in one word, the first lowest, zeros behind them: how a reader of bytes meets a short one. None: not
    /// ASCII, or a zero between.
    #[inline]
    pub fn from_word(word: u128) -> Option<Version> {
        const EACH: u128 = u128::from_ne_bytes([1; 16]);
        let letters = word.to_le_bytes();
        let len = letters.len() - word.leading_zeros() as usize / 8;
        // What is behind the text made other than zero, so that a zero is one between (Mycroft's trick).
        let filled = word | u128::MAX.checked_shl(8 * len as u32).unwrap_or(0);
        let has_zero = filled.wrapping_sub(EACH) & !filled & (EACH << 7) != 0;
        if word & (EACH << 7) != 0 || has_zero {
            return None;
        }
        let mut bytes = [0; SHORT];
        bytes[..letters.len()].copy_from_slice(&letters);
        Some(Version(Kept::Short { len: len as u8, bytes }))
    }

    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Short { len, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).expect("the bytes are of a whole text")
            }
            Kept::Long(text) => text,
        }
    }
}

impl From<&str> for Version {
    #[inline]
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                Version(Kept::Short { len: text.len() as u8, bytes })
            }
            None => Version(Kept::Long(text.into())),
        }
    }
}
impl From<String> for Version {
    fn from(text: String) -> Self {
        Version::from(text.as_str())
    }
}
impl From<Version> for String {
    fn from(version: Version) -> String {
        version.as_str().to_owned()
    }
}
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_any_length_is_the_text_it_was_made_of() {
        for length in 0..=64 {
            let text: String = "صx".chars().cycle().take(length).collect();
            let version = Version::from(text.as_str());
            assert_eq!(version.as_str(), text);
            assert_eq!(version, Version::from(text.clone()));
            assert_ne!(version, Version::from(format!("{text}\0")));
            let json = serde_json::to_string(&version).expect("a text");
            assert_eq!(json, serde_json::to_string(&text).expect("a text"));
            assert_eq!(serde_json::from_str::<Version>(&json).expect("a text"), version);
        }
    }

    #[test]
    fn a_version_out_of_a_word_is_the_same_as_out_of_its_text() {
        for length in 0..=16 {
            let mut word = [0; 16];
            word[..length].copy_from_slice(&b"2.4.1-rc1+8f0c22"[..length]);
            let text = &"2.4.1-rc1+8f0c22"[..length];
            assert_eq!(Version::from_word(u128::from_le_bytes(word)), Some(Version::from(text)));
        }
        assert_eq!(Version::from_word(0x80), None);
        assert_eq!(Version::from_word(0x31_00_31), None);
    }

    #[test]
    fn a_version_is_no_larger_than_a_string() {
        assert_eq!(size_of::<Option<Version>>(), size_of::<String>());
    }
}
