//! Signed messages: the JSON, a line feed, and 64 hex digits of HMAC-SHA256 over topic, line feed and JSON.
//! Owns the keys and the key file's text. Never reads a file, never shows a key.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::UnitId;

/// Digits of a signature.
pub const SIGNATURE_DIGITS: usize = 64;

/// One unit's secret, made ready for signing. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Below 16 bytes a key can be guessed; above 64 HMAC only hashes it down.
    pub const MIN_BYTES: usize = 16;
    pub const MAX_BYTES: usize = 64;

    /// Err: too short or too long; the text says which.
    pub fn new(secret: &[u8]) -> Result<Self, String> {
        if !(Self::MIN_BYTES..=Self::MAX_BYTES).contains(&secret.len()) {
            return Err(format!(
                "the key has {} bytes; it must have {} to {} (make one with: openssl rand -hex 32)",
                secret.len(),
                Self::MIN_BYTES,
                Self::MAX_BYTES
            ));
        }
        Ok(Key(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")))
    }

    /// 32 to 128 hex digits. Err: says what is wrong, never the key.
    pub fn from_hex(text: &str) -> Result<Self, String> {
        let secret = hex::decode(text).map_err(|_| {
            "the key is not hex: write an even number of the digits 0-9 and a-f (make one with: openssl rand -hex 32)"
                .to_owned()
        })?;
        Self::new(&secret)
    }

    fn mac(&self, topic: &str, json: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(topic.as_bytes());
        mac.update(b"\n");
        mac.update(json);
        mac
    }

    /// 64 hex digits.
    pub fn sign(&self, topic: &str, json: &[u8]) -> String {
        hex::encode(self.mac(topic, json).finalize().into_bytes())
    }

    /// The payload as it goes on the wire: JSON, line feed, signature.
    pub fn signed(&self, topic: &str, json: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(json.len() + 1 + SIGNATURE_DIGITS);
        payload.extend_from_slice(json);
        payload.push(b'\n');
        payload.extend_from_slice(self.sign(topic, json).as_bytes());
        payload
    }

    /// Takes the same time wherever the first wrong byte is.
    pub fn verify(&self, topic: &str, json: &[u8], signature: &[u8; 32]) -> bool {
        self.mac(topic, json).verify_slice(signature).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

pub type Keys = BTreeMap<UnitId, Key>;

/// Must units sign?
#[derive(Debug, Clone, Default)]
pub enum Signing {
    /// Signatures are cut off unread: units that sign already are heard before their keys are here.
    #[default]
    Off,
    /// A signature by a unit whose key is here must be right; unsigned messages pass.
    Optional(Keys),
    /// Every message must carry the right signature of its unit.
    Required(Keys),
}

/// A payload taken apart.
#[derive(Debug, PartialEq)]
pub(super) enum Split<'p> {
    Unsigned(&'p [u8]),
    Signed(&'p [u8], [u8; 32]),
    /// The last line is hex, but no signature; with its number of digits.
    Misshapen {
        digits: usize,
    },
}

/// JSON ends with a bracket, so a last line of hex digits is never part of it. White space after it (a shell's line
/// feed) does no harm: it is not signed.
pub(super) fn split(payload: &[u8]) -> Split<'_> {
    let trimmed = payload.trim_ascii_end();
    if trimmed.last() == Some(&b'}') {
        return Split::Unsigned(payload);
    }
    let Some(feed) = trimmed.iter().rposition(|b| *b == b'\n') else { return Split::Unsigned(payload) };
    let (json, line) = (&trimmed[..feed], &trimmed[feed + 1..]);
    if line.is_empty() || !line.iter().all(u8::is_ascii_hexdigit) {
        return Split::Unsigned(payload);
    }
    let mut signature = [0; 32];
    match hex::decode_to_slice(line, &mut signature) {
        Ok(()) => Split::Signed(json, signature),
        Err(_) => Split::Misshapen { digits: line.len() },
    }
}

/// One thing wrong with a key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem {
    /// From 1.
    pub line: usize,
    pub why: String,
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.why)
    }
}

impl std::error::Error for KeyProblem {}

/// One `unit:hexkey` a line; `#` starts a comment, empty lines are skipped. Err: every problem at once.
pub fn parse_keys(text: &str) -> Result<Keys, Vec<KeyProblem>> {
    let mut keys = Keys::new();
    let mut first_line: BTreeMap<UnitId, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for (i, text) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        let line = i + 1;
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let mut problem = |why: String| problems.push(KeyProblem { line, why });
        let Some((unit, key)) = text.split_once(':') else {
            problem("there is no colon; write UNIT:KEY, for example PSH-001:8f0c…".to_owned());
            continue;
        };
        let unit = UnitId::parse(unit.trim()).map_err(|e| problem(e.to_string())).ok();
        let key = Key::from_hex(key.trim()).map_err(&mut problem).ok();
        let Some(unit) = unit else { continue };
        if let Some(first) = first_line.get(&unit) {
            problem(format!("{unit} has a key on line {first} already; keep one of the two"));
            continue;
        }
        first_line.insert(unit.clone(), line);
        if let Some(key) = key {
            keys.insert(unit, key);
        }
    }
    if problems.is_empty() { Ok(keys) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX_KEY: &str = "000102030405060708090a0b0c0d0e0f";

    #[test]
    fn a_key_file_names_every_problem_at_once_and_no_key() {
        let text = format!(
            "\u{feff}# keys\r\nPSH-001: {HEX_KEY}  # Saddar\r\n\nno colon\n-x:{HEX_KEY}\nPSH-002:zz\nPSH-003:abcd\n\
             PSH-001:{HEX_KEY}\n"
        );
        let problems = parse_keys(&text).expect_err("five lines are wrong");
        let lines: Vec<usize> = problems.iter().map(|p| p.line).collect();
        assert_eq!(lines, [4, 5, 6, 7, 8]);
        assert!(problems[4].to_string().starts_with("8: PSH-001 has a key on line 2"), "{}", problems[4]);
        assert!(problems.iter().all(|p| !p.why.contains(HEX_KEY)));
    }

    #[test]
    fn a_good_key_file_gives_its_keys() {
        let keys = parse_keys(&format!("PSH-001:{HEX_KEY}\nPSH-002:{}", HEX_KEY.to_uppercase())).expect("two keys");
        assert_eq!(keys.len(), 2);
        assert_eq!(keys["PSH-001"].sign("t", b"{}"), keys["PSH-002"].sign("t", b"{}"));
        assert!(!format!("{keys:?}").contains("0001"));
    }

    #[test]
    fn the_signature_is_plain_hmac_sha256_as_any_library_makes_it() {
        // RFC 4231 test case 1, its data written as topic, line feed and JSON would be: the pieces only join up.
        let key = Key::new(&[0x0b; 20]).expect("20 bytes");
        assert!(key.verify("a", b"b", &hex::decode(key.sign("a", b"b")).expect("hex").try_into().expect("32 bytes")));
        let mut whole = key.0.clone();
        whole.update(b"Hi There");
        assert_eq!(
            hex::encode(whole.finalize().into_bytes()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn a_payload_comes_apart_only_at_a_line_of_hex() {
        let hex = "ab".repeat(32);
        assert_eq!(split(b"{}"), Split::Unsigned(b"{}"));
        assert_eq!(split(b"{\n}\n"), Split::Unsigned(b"{\n}\n"));
        assert_eq!(split(format!("{{}}\n{hex}").as_bytes()), Split::Signed(b"{}", [0xab; 32]));
        assert_eq!(split(format!("{{}}\n{hex}\r\n").as_bytes()), Split::Signed(b"{}", [0xab; 32]));
        assert_eq!(split(b"{}\nabc"), Split::Misshapen { digits: 3 });
        assert_eq!(split(b"{}\nxyz"), Split::Unsigned(b"{}\nxyz"));
        assert_eq!(split(b""), Split::Unsigned(b""));
        assert_eq!(split(hex.as_bytes()), Split::Unsigned(hex.as_bytes()));
    }
}
