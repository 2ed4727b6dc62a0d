//! Until when a certificate is good. Reads the few bytes of X.509 that say so and nothing else; never judges whether it can be
//! trusted: the TLS library does.
//!
//! ```text
//! Certificate ─ tbsCertificate ─ [0] version? · serial · algorithm · issuer · validity { notBefore · notAfter } · …
//! ```

use chrono::NaiveDateTime;
use rustls_pemfile::certs;

use crate::domain::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Of the first certificate of a PEM file, which is the server's own. None: it cannot be read.
pub fn not_after(pem: &[u8]) -> Option<Timestamp> {
    let first = certs(&mut &*pem).next()?.ok()?;
    of_der(&first)
}

fn of_der(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut rest, _) = inside(certificate, SEQUENCE)?;
    if let Some((_, after)) = inside(rest, VERSION) {
        rest = after;
    }
    for _ in ["serial", "algorithm", "issuer"] {
        rest = element(rest)?.2;
    }
    let (validity, _) = inside(rest, SEQUENCE)?;
    let (_, _, after_begin) = element(validity)?;
    let (kind, text, _) = element(after_begin)?;
    let text = std::str::from_utf8(text).ok()?;
    let whole = match kind {
        // RFC 5280: two digits of a year from 50 on are 19xx.
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&whole, "%Y%m%d%H%M%SZ").ok()?;
    Some(Timestamp::from_millis(time.and_utc().timestamp_millis()))
}

/// What is in the element of that kind which stands first, and what follows it.
fn inside(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (found, inner, after) = element(bytes)?;
    (found == kind).then_some((inner, after))
}

/// Kind, content and what follows. None: it ends too soon, or is longer than any certificate.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), rest)
        }
        0x80 | 0x84..=0xFF => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((kind, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pem(year: i32) -> String {
        let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        wanted.not_after = rcgen::date_time_ymd(year, 3, 7);
        let key = rcgen::KeyPair::generate().expect("a key");
        wanted.self_signed(&key).expect("a certificate").pem()
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_ways_of_writing_it() {
        for (year, text) in
            [(2027, "2027-03-07T00:00:00.000Z"), (2049, "2049-03-07T00:00:00.000Z"), (2051, "2051-03-07T00:00:00.000Z")]
        {
            assert_eq!(not_after(pem(year).as_bytes()).map(|t| t.to_string()).as_deref(), Some(text));
        }
        assert_eq!(not_after(b"no certificate"), None);
    }

    proptest! {
        #[test]
        fn whatever_stands_there_it_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = of_der(&bytes);
        }
    }
}
