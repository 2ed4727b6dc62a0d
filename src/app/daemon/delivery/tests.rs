use super::*;
use crate::io::smtp::Refused;

const PACE: RetryPace = RetryPace { first: Duration::from_secs(60), longest: Duration::from_secs(3600) };
const DAY: Duration = Duration::from_secs(86_400);

fn decided() -> Timestamp {
    Timestamp::parse("2026-11-21T09:00:00Z").expect("valid")
}

fn to(names: &[&str]) -> Vec<Mailbox> {
    names.iter().map(|n| Mailbox { name: None, address: format!("{n}@example.org") }).collect()
}

fn said(name: &str, code: u16) -> Refused {
    Refused { recipient: format!("{name}@example.org"), code, text: "5.1.1 because".to_owned() }
}

fn line_lost() -> DeliveryError {
    DeliveryError {
        retry: true,
        code: None,
        recipient: None,
        text: "the line is gone".to_owned(),
        refused: Vec::new(),
        deferred: Vec::new(),
    }
}

/// One try after the others, each at the time of its number in hours. Gives what became of it, as
/// `try-again a:delivered b:waiting`.
fn tries(names: &[&str], results: Vec<Result<Delivered, DeliveryError>>) -> Vec<String> {
    let id = MessageId::parse("<wo-000042.1@example.org>").expect("valid");
    let mut known = Vec::new();
    let mut seen = Vec::new();
    for (n, result) in (0..).zip(results) {
        let before = Before { tries: n, since: decided(), addresses: &known };
        let now = decided() + Duration::from_secs(3600) * n;
        let tried = judge(addresses(&to(names), &known), result, &before, PACE, &id, now);
        seen.push(short(&tried));
        known = tried.addresses;
    }
    seen
}

fn short(tried: &Tried) -> String {
    let word = match &tried.outcome {
        MailOutcome::Sent => "sent",
        MailOutcome::PartlySent { .. } => "partly-sent",
        MailOutcome::TryAgain { .. } => "try-again",
        MailOutcome::Refused { .. } => "refused",
    };
    let each = tried.addresses.iter().map(|a| format!(" {}:{}", a.address.trim_end_matches("@example.org"), a.state));
    format!("{word}{}", each.collect::<String>())
}

#[test]
fn one_who_was_put_off_gets_the_mail_later_and_one_who_was_refused_never() {
    let first = Ok(Delivered { refused: vec![said("c", 550)], deferred: vec![said("b", 450)] });
    let seen = tries(&["a", "b", "c"], vec![first, Err(line_lost()), Ok(Delivered::default())]);
    assert_eq!(
        seen,
        [
            "try-again a:delivered b:waiting c:refused",
            "try-again a:delivered b:waiting c:refused",
            "partly-sent a:delivered b:delivered c:refused"
        ]
    );
}

#[test]
fn a_text_that_is_refused_is_refused_for_those_who_would_have_got_it() {
    let error = DeliveryError { retry: false, code: Some(554), deferred: vec![said("b", 450)], ..line_lost() };
    assert_eq!(tries(&["a", "b"], vec![Err(error)]), ["try-again a:refused b:waiting"]);
    let error = DeliveryError { retry: false, code: Some(554), ..line_lost() };
    assert_eq!(tries(&["a", "b"], vec![Err(error)]), ["refused a:refused b:refused"]);
}

#[test]
fn what_was_said_stands_with_its_address() {
    let id = MessageId::parse("<wo-000042.1@example.org>").expect("valid");
    let result = Ok(Delivered { refused: vec![said("b", 550)], deferred: Vec::new() });
    let before = Before::nothing(decided());
    let tried = judge(addresses(&to(&["a", "b"]), &[]), result, &before, PACE, &id, decided());
    let MailOutcome::PartlySent { error } = &tried.outcome else { panic!("{tried:?}") };
    assert_eq!(error, "b@example.org refused (550 5.1.1 because)");
    assert_eq!((tried.addresses[0].at, tried.addresses[0].said()), (Some(decided()), String::new()));
    assert_eq!((tried.addresses[1].code, tried.addresses[1].said()), (Some(550), "550 5.1.1 because".to_owned()));
}

#[test]
fn a_mail_is_given_up_after_five_days_but_not_before_it_was_really_tried() {
    let id = MessageId::parse("<wo-000042.1@example.org>").expect("valid");
    let at = |tries: u32, now: Timestamp| {
        let before = Before { tries, since: decided(), addresses: &[] };
        short(&judge(addresses(&to(&["a"]), &[]), Err(line_lost()), &before, PACE, &id, now))
    };
    assert_eq!(at(1_000_000, decided() + DAY * 4), "try-again a:waiting");
    assert_eq!(at(100, decided() + DAY * 5), "refused a:refused");
    // The service was off for a week.
    assert_eq!(at(0, decided() + DAY * 7), "try-again a:waiting");
    let before = Before { tries: 100, since: decided(), addresses: &[] };
    let tried = judge(addresses(&to(&["a"]), &[]), Err(line_lost()), &before, PACE, &id, decided() + DAY * 6);
    let MailOutcome::Refused { error } = &tried.outcome else { panic!("{tried:?}") };
    assert_eq!(error, "given up after 101 tries: the line is gone");
}

#[test]
fn a_new_address_takes_the_place_of_one_that_was_refused_and_nobody_gets_the_mail_twice() {
    let id = MessageId::parse("<wo-000042.1@example.org>").expect("valid");
    let result = Ok(Delivered { refused: vec![said("b", 550)], deferred: Vec::new() });
    let first = judge(addresses(&to(&["a", "b"]), &[]), result, &Before::nothing(decided()), PACE, &id, decided());
    let now = addresses(&to(&["a", "c"]), &first.addresses);
    let waiting: Vec<&str> =
        now.iter().filter(|a| a.state == AddressState::Waiting).map(|a| a.address.as_str()).collect();
    assert_eq!(waiting, ["c@example.org"]);
    let tried = judge(now, Ok(Delivered::default()), &Before::nothing(decided()), PACE, &id, decided());
    assert_eq!(short(&tried), "sent a:delivered c:delivered");
    // One who has it stays in the record, also when the settings do not name them any more.
    assert_eq!(addresses(&to(&["d"]), &tried.addresses).len(), 3);
}
