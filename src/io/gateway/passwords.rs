//! The units' password file: `UNIT:HASH` lines, and what a hash is.
//!
//! Design constraints
//! - All problems of a file at once, each with its line and a remedy.
//! - An edit keeps everything else of the file, comments included: people write there why a unit's password was changed.
//! - A generated password is 160 random bits, so one round of hashing is honest: no one guesses 2¹⁶⁰. One that a person chose
//!   is worth far less, and gets 100,000 rounds.
//!
//! Never reads or writes a file itself, never shows a hash in a log, never keeps a password.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::Sha256;

use crate::domain::UnitId;

/// For a password of 160 random bits: the hash only has to keep a reader of the file from using what he reads.
const ROUNDS_GENERATED: u32 = 1;
/// About 25 ms of one core: a thief of the file tries 40 words a second and core, and a unit that connects waits one blink.
const ROUNDS_CHOSEN: u32 = 100_000;
/// A hand-written `i=4000000000` would hold a core for a quarter of an hour at each connect.
const ROUNDS_MAX: u32 = 2_000_000;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
const SCHEME: &str = "pbkdf2-sha256";

/// `$pbkdf2-sha256$i=N$SALT$HASH`, base64 without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    rounds: u32,
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
}

/// Shown once, then forgotten.
pub struct Generated {
    pub password: String,
    pub hash: PasswordHash,
}

/// Why a password that a person chose was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error(
        "the password has {characters} characters; use at least {}, or let one be generated",
        PasswordHash::CHOSEN_MIN
    )]
    TooShort { characters: usize },
    #[error("the password has {bytes} bytes; use at most {}", PasswordHash::CHOSEN_MAX_BYTES)]
    TooLong { bytes: usize },
    #[error("the password holds a control character (a tab or a line end?); leave it out")]
    ControlCharacter,
    #[error("this machine gives no random numbers: {0}")]
    NoRandomness(String),
}

impl PasswordHash {
    /// A chosen password has perhaps 3 bits a character; below 12 even 100,000 rounds are soon tried through.
    pub const CHOSEN_MIN: usize = 12;
    /// An MQTT field may be longer, a password need not.
    pub const CHOSEN_MAX_BYTES: usize = 256;

    pub fn of_chosen(password: &str) -> Result<Self, PasswordError> {
        let characters = password.chars().count();
        if characters < Self::CHOSEN_MIN {
            return Err(PasswordError::TooShort { characters });
        }
        if password.len() > Self::CHOSEN_MAX_BYTES {
            return Err(PasswordError::TooLong { bytes: password.len() });
        }
        if password.chars().any(char::is_control) {
            return Err(PasswordError::ControlCharacter);
        }
        Ok(Self::derive(password, random()?, ROUNDS_CHOSEN))
    }

    fn derive(password: &str, salt: [u8; SALT_BYTES], rounds: u32) -> Self {
        let mut hash = [0; HASH_BYTES];
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, rounds, &mut hash);
        PasswordHash { rounds, salt: salt.to_vec(), hash }
    }

    /// Takes as long for a wrong password as for the right one.
    pub fn verify(&self, password: &str) -> bool {
        let mut hash = [0; HASH_BYTES];
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &self.salt, self.rounds, &mut hash);
        let difference = hash.iter().zip(&self.hash).fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        std::hint::black_box(difference) == 0
    }

    /// Too slow for a thread that serves connections.
    pub fn is_slow(&self) -> bool {
        self.rounds > 100
    }

    /// A hash that no password has, as costly as this one.
    fn decoy(&self) -> Self {
        PasswordHash { rounds: self.rounds, salt: self.salt.clone(), hash: [0; HASH_BYTES] }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("the hash is not of the form ${SCHEME}$i=N$SALT$HASH");
        let mut parts = text.split('$');
        if parts.next() != Some("") {
            return Err(form());
        }
        match parts.next() {
            Some(SCHEME) => {}
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                return Err(format!("the hash is of the kind {other:?}, and only {SCHEME} is known"));
            }
            None => return Err(form()),
        }
        let (Some(rounds), Some(salt), Some(hash), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let rounds: u32 = rounds.strip_prefix("i=").and_then(|n| n.parse().ok()).ok_or_else(form)?;
        if !(1..=ROUNDS_MAX).contains(&rounds) {
            return Err(format!("i={rounds} is not within 1 to {ROUNDS_MAX}"));
        }
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| "the salt is not base64 without padding".to_owned())?;
        if !(8..=64).contains(&salt.len()) {
            return Err(format!("the salt has {} bytes, not 8 to 64", salt.len()));
        }
        let hash = STANDARD_NO_PAD.decode(hash).map_err(|_| "the hash is not base64 without padding".to_owned())?;
        let hash =
            hash.try_into().map_err(|hash: Vec<u8>| format!("the hash has {} bytes, not {HASH_BYTES}", hash.len()))?;
        Ok(PasswordHash { rounds, salt, hash })
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(self.hash));
        write!(f, "${SCHEME}$i={}${salt}${hash}", self.rounds)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash(i={}, …)", self.rounds)
    }
}

/// A password no one has to think up: 32 small letters and digits, 160 bits. No 0, 1, 8 or 9, so none is misread.
pub fn generate() -> Result<Generated, PasswordError> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits: [u8; 32] = random()?;
    let password: String = bits.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    let hash = PasswordHash::derive(&password, random()?, ROUNDS_GENERATED);
    Ok(Generated { password, hash })
}

fn random<const N: usize>() -> Result<[u8; N], PasswordError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| PasswordError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// Who may connect. One line a unit.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PasswordFile {
    lines: Vec<Line>,
    hashes: BTreeMap<UnitId, PasswordHash>,
}

#[derive(Clone, PartialEq, Eq)]
enum Line {
    /// A comment or an empty line, as it was.
    Kept(String),
    Unit(UnitId),
}

impl PasswordFile {
    /// Err: every problem of the file, `FILE:LINE: what is wrong; what to do`. None quotes a hash.
    pub fn check(file_name: &str, text: &str) -> Result<Self, Vec<String>> {
        let mut file = PasswordFile::default();
        let mut first_seen: BTreeMap<UnitId, usize> = BTreeMap::new();
        let mut problems = Vec::new();
        // A spreadsheet or Windows editor leaves a byte order mark and carriage returns.
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let number = index + 1;
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                file.lines.push(Line::Kept(line.trim_end().to_owned()));
                continue;
            }
            let mut problem = |text: String| problems.push(format!("{file_name}:{number}: {text}"));
            let Some((unit, hash)) = trimmed.split_once(':') else {
                problem("no \":\" after the unit id; write UNIT:HASH, or run `buttonwatch fleet password UNIT`".into());
                continue;
            };
            let unit = match UnitId::parse(unit.trim_end()) {
                Ok(unit) => Some(unit),
                Err(invalid) => {
                    problem(format!("{invalid}; correct it or delete the line"));
                    None
                }
            };
            let hash = match PasswordHash::parse(hash.trim_start()) {
                Ok(hash) => Some(hash),
                Err(why) => {
                    let name = unit.as_ref().map_or("UNIT", |unit| unit.as_str());
                    problem(format!("{why}; run `buttonwatch fleet password {name}` to make a new one"));
                    None
                }
            };
            if let Some(unit) = &unit {
                match first_seen.get(unit) {
                    Some(first) => {
                        problem(format!("{unit} stands on line {first} already; delete one of the two lines"))
                    }
                    None => {
                        first_seen.insert(unit.clone(), number);
                    }
                }
            }
            if let (Some(unit), Some(hash)) = (unit, hash) {
                file.set(unit, hash);
            }
        }
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }

    /// Replaces the unit's password in its place, or adds the unit at the end.
    pub fn set(&mut self, unit: UnitId, hash: PasswordHash) {
        if self.hashes.insert(unit.clone(), hash).is_none() {
            self.lines.push(Line::Unit(unit));
        }
    }

    /// False: the unit had none.
    pub fn remove(&mut self, unit: &UnitId) -> bool {
        self.lines.retain(|line| !matches!(line, Line::Unit(listed) if listed == unit));
        self.hashes.remove(unit).is_some()
    }

    pub fn get(&self, unit: &UnitId) -> Option<&PasswordHash> {
        self.hashes.get(unit)
    }

    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub fn units(&self) -> impl Iterator<Item = &UnitId> {
        self.hashes.keys()
    }

    /// The hash to try a password on. For an unknown name one that never fits, as costly as some unit's real one: how long
    /// the answer takes does not tell which units exist.
    pub(super) fn hash_or_decoy(&self, name: &str, spread: u64) -> PasswordHash {
        if let Some(hash) = self.hashes.get(name) {
            return hash.clone();
        }
        let decoy_of = (spread as usize).checked_rem(self.hashes.len()).and_then(|at| self.hashes.values().nth(at));
        match decoy_of {
            Some(hash) => hash.decoy(),
            None => PasswordHash { rounds: ROUNDS_GENERATED, salt: vec![0; SALT_BYTES], hash: [0; HASH_BYTES] },
        }
    }

    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Kept(kept) => text.push_str(kept),
                Line::Unit(unit) => {
                    let hash = self.hashes.get(unit).expect("set and remove keep lines and hashes together");
                    text.push_str(&format!("{unit}:{hash}"));
                }
            }
            text.push('\n');
        }
        text
    }
}

impl fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordFile({} units)", self.hashes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: &str) -> UnitId {
        UnitId::parse(id).unwrap()
    }

    #[test]
    fn a_generated_password_opens_only_its_own_hash() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert_eq!(first.password.len(), 32);
        assert_ne!(first.password, second.password);
        assert!(first.hash.verify(&first.password) && !first.hash.is_slow());
        assert!(!first.hash.verify(&second.password));
        assert!(!first.hash.verify(""));
        assert!(!first.hash.decoy().verify(&first.password));
    }

    #[test]
    fn a_chosen_password_is_hashed_slowly_and_must_be_long_enough() {
        let hash = PasswordHash::of_chosen("پشاور صدر بازار").unwrap();
        assert!(hash.is_slow() && hash.verify("پشاور صدر بازار") && !hash.verify("پشاور صدر بازاز"));
        assert_eq!(
            PasswordHash::of_chosen("elevenchars").unwrap_err().to_string(),
            "the password has 11 characters; use at least 12, or let one be generated"
        );
        assert!(matches!(PasswordHash::of_chosen(&"x".repeat(300)), Err(PasswordError::TooLong { bytes: 300 })));
        assert_eq!(PasswordHash::of_chosen("twelve\tchars\n"), Err(PasswordError::ControlCharacter));
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // RFC 7914 §11: PBKDF2-HMAC-SHA-256 ("passwd", "salt", 1), its first 32 bytes. "salt" is too short for our files.
        let mut hash = [0; HASH_BYTES];
        pbkdf2::pbkdf2_hmac::<Sha256>(b"passwd", b"salt", 1, &mut hash);
        assert_eq!(hex::encode(hash), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    }

    #[test]
    fn an_edit_keeps_comments_order_and_everything_else() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        let text =
            format!("\u{feff}# Saddar, set by Ali\r\nPSH-002:{}\r\n\r\n# new SIM\nPSH-001 : {}\n", a.hash, b.hash);
        let mut file = PasswordFile::check("units.passwords", &text).unwrap();
        assert_eq!(file.len(), 2);
        let c = generate().unwrap();
        file.set(unit("PSH-002"), c.hash.clone());
        file.set(unit("PSH-003"), a.hash.clone());
        assert!(file.remove(&unit("PSH-001")) && !file.remove(&unit("PSH-001")));
        let expected = format!("# Saddar, set by Ali\nPSH-002:{}\n\n# new SIM\nPSH-003:{}\n", c.hash, a.hash);
        assert_eq!(file.to_text(), expected);
        assert_eq!(PasswordFile::check("f", &expected).unwrap(), file);
        assert!(!format!("{file:?} {:?}", a.hash).contains(&a.hash.to_string()[20..]));
    }

    #[test]
    fn every_problem_of_a_file_is_told_at_once_with_its_line_and_remedy() {
        let good = generate().unwrap().hash;
        let short_hash = format!("$pbkdf2-sha256$i=1${}$AAAA", STANDARD_NO_PAD.encode([7; 16]));
        let text = format!(
            "# ours\nPSH-001:{good}\nPSH-002\nPSH 003:{good}\nPSH-004:secret\nPSH-005:$2b$12$abc\nPSH-006:$pbkdf2-sha256$i=0$AAAA$AAAA\n\
             PSH-007:$pbkdf2-sha256$i=9$!$AAAA\nPSH-008:{short_hash}\nPSH-001:{good}\nPSH-009:$pbkdf2-sha256$n=1$AAAA$AAAA\n"
        );
        let problems = PasswordFile::check("units.passwords", &text).unwrap_err();
        insta::assert_snapshot!(problems.join("\n"), @r#"
        units.passwords:3: no ":" after the unit id; write UNIT:HASH, or run `buttonwatch fleet password UNIT`
        units.passwords:4: "PSH 003" is not a unit id: it must start with a letter or digit and hold only letters, digits, _ and -, at most 48; correct it or delete the line
        units.passwords:5: the hash is not of the form $pbkdf2-sha256$i=N$SALT$HASH; run `buttonwatch fleet password PSH-004` to make a new one
        units.passwords:6: the hash is of the kind "2b", and only pbkdf2-sha256 is known; run `buttonwatch fleet password PSH-005` to make a new one
        units.passwords:7: i=0 is not within 1 to 2000000; run `buttonwatch fleet password PSH-006` to make a new one
        units.passwords:8: the salt is not base64 without padding; run `buttonwatch fleet password PSH-007` to make a new one
        units.passwords:9: the hash has 3 bytes, not 32; run `buttonwatch fleet password PSH-008` to make a new one
        units.passwords:10: PSH-001 stands on line 2 already; delete one of the two lines
        units.passwords:11: the hash is not of the form $pbkdf2-sha256$i=N$SALT$HASH; run `buttonwatch fleet password PSH-009` to make a new one
        "#);
    }

    #[test]
    fn an_unknown_unit_costs_as_much_as_some_known_one() {
        let mut file = PasswordFile::default();
        assert!(!file.hash_or_decoy("nobody", 3).verify(""));
        file.set(unit("slow"), PasswordHash::of_chosen("long enough, is it").unwrap());
        assert!(file.hash_or_decoy("nobody", 3).is_slow());
        assert!(!file.hash_or_decoy("nobody", 3).verify("long enough, is it"));
        assert!(file.hash_or_decoy("slow", 3).verify("long enough, is it"));
    }
}
