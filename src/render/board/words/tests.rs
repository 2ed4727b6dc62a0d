use super::*;

fn own(file: &str, text: &str) -> Result<Words, Vec<String>> {
    Words::check(&[(file.to_owned(), text.to_owned())])
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn urdu_says_everything_that_english_says_with_the_same_variables() {
    let (english, urdu) = (entries(CARRIED[0].1), entries(CARRIED[1].1));
    let of = |list: &[Entry], key: &str| list.iter().find(|e| e.key == key).map(|e| e.variables.clone());
    let mut wrong = Vec::new();
    for entry in &english {
        match of(&urdu, &entry.key) {
            None => wrong.push(format!("{} is missing", entry.key)),
            Some(variables) if variables != entry.variables => {
                wrong.push(format!("{}: {:?} instead of {:?}", entry.key, variables, entry.variables));
            }
            Some(_) => {}
        }
    }
    wrong.extend(urdu.iter().filter(|e| of(&english, &e.key).is_none()).map(|e| format!("{} is too much", e.key)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (code, text) in CARRIED {
        assert!(check_file(code, text).is_empty(), "{:?}", check_file(code, text));
        assert!(FluentResource::try_new(text.to_owned()).is_ok(), "{code}");
    }
}

#[test]
fn mistakes_of_a_file_are_told_with_their_lines_all_at_once() {
    let text = "# Pashto\nsign-in = ننوتل\nsing-out = وتل\nn-buttons = { $m } تڼۍ\nsign-in = بیا\n";
    assert_eq!(
        own("ps.ftl", text).err().expect("three mistakes"),
        [
            "ps.ftl:3: the board says nothing called sing-out; did you mean sign-out?",
            "ps.ftl:4: n-buttons has no $m; it has $n",
            "ps.ftl:5: sign-in is there twice; keep one",
        ]
    );
    let broken = own("ps.ftl", "sign-in = a\nthis is no line\nsign-out = { $x\n").err().expect("mistakes");
    assert!(broken.iter().any(|p| p.starts_with("ps.ftl:2:")), "{broken:?}");
    for name in ["words.txt", "not a language.ftl", ".ftl"] {
        let told = own(name, "").err().expect("no language");
        assert!(told[0].contains("such as ps.ftl"), "{told:?}");
    }
}

#[test]
fn what_a_language_does_not_say_is_said_in_english() {
    let words = own("ps.ftl", "language-name = پښتو\nsign-in = ننوتل\n").expect("fine");
    let pashto = words.find("ps").expect("it is there");
    assert_eq!((pashto.name.as_str(), pashto.direction()), ("پښتو", "rtl"));
    assert_eq!(pashto.say("sign-in", None), "ننوتل");
    assert_eq!(pashto.say("sign-out", None), words.english().say("sign-out", None));
    assert_eq!(pashto.say("no-such-thing", None), "no-such-thing");
    assert!(words.gaps().iter().any(|(code, missing)| code == "ps" && *missing > 100), "{:?}", words.gaps());
    let german = own("de.ftl", "sign-in = Anmelden\n").expect("fine");
    assert_eq!(german.find("DE").map(|l| (l.name.clone(), l.direction())), Some(("de".to_owned(), "ltr")));
    assert_eq!(own("pa-Arab.ftl", "").expect("fine").find("pa-Arab").map(|l| l.direction()), Some("rtl"));
}

#[test]
fn an_operators_own_words_come_before_ours() {
    let words = own("en.ftl", "nav-units = Call points\n").expect("fine");
    assert_eq!(words.english().say("nav-units", None), "Call points");
    assert_eq!(words.all().count(), 2, "no second English");
}

#[test]
fn a_browser_gets_the_first_of_its_languages_that_is_here() {
    let words = Words::default();
    let code = |header: &str| words.accepted(header).map(|l| l.code.clone());
    assert_eq!(code("ur-PK,ur;q=0.9,en;q=0.8").as_deref(), Some("ur"));
    assert_eq!(code("de,fr;q=0.9,en-GB;q=0.3").as_deref(), Some("en"));
    assert_eq!(code("en;q=0.2, ur;q=0.7").as_deref(), Some("ur"));
    assert_eq!(code("ur;q=0, en").as_deref(), Some("en"));
    for none in ["", "de", ";;;,,", "q=1", "*"] {
        assert_eq!(code(none), None, "{none}");
    }
}

#[test]
fn every_word_that_the_house_can_say_has_words() {
    use crate::domain::{
        AlertState, Component, GroupKind, OrderMove, OrderState, Outcome, Priority, Readiness, Severity,
        explain::{Says, Standing},
        message::{Do, PressKind},
        on_demand::CommandState,
        rule::{CountedEvent, OverdueEvent},
    };
    fn all<T: std::fmt::Display>(prefix: &str, words: &[T]) -> Vec<String> {
        words.iter().map(|w| format!("{prefix}-{w}")).collect()
    }
    let mut keys = all("readiness", Readiness::ALL);
    keys.extend(Readiness::ALL.iter().map(|r| format!("readiness-{r}-means")));
    keys.extend(all("component", Component::ALL));
    keys.extend(all("severity", Severity::ALL));
    keys.extend(all("priority", Priority::ALL));
    keys.extend(all("state", OrderState::ALL));
    keys.extend(all("do", OrderMove::ALL));
    keys.extend(all("alert", AlertState::ALL));
    keys.extend(all("kind", GroupKind::ALL));
    keys.extend(all("group", GroupKind::ALL));
    keys.extend(all("event", CountedEvent::ALL));
    keys.extend(all("event", OverdueEvent::ALL));
    keys.extend(all("standing", Standing::ALL));
    keys.extend(all("says", Says::ALL));
    keys.extend(all("outcome", Outcome::ALL));
    keys.extend(all("command", CommandState::ALL));
    keys.extend(all("asked", Do::ALL));
    keys.extend(all("press", PressKind::ALL));
    keys.extend((1..=12).map(|m| format!("month-{m}")));
    keys.extend((1..=7).map(|d| format!("weekday-{d}")));
    let words = Words::default();
    for language in words.all() {
        let missing: Vec<&String> = keys.iter().filter(|key| !language.knows(key)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", language.code);
    }
}

/// `t('key'` in the templates.
#[test]
fn every_word_that_a_template_asks_for_is_there() {
    let words = Words::default();
    let english = words.english();
    let mut missing = Vec::new();
    for (name, text) in super::super::TEMPLATES {
        // Handed to a line that asks for it.
        for key in text.split('\'').filter(|piece| piece.starts_with("filter-help")) {
            if !english.knows(key) {
                missing.push(format!("{name}: {key}"));
            }
        }
        for piece in text.split("t('").skip(1) {
            let (key, rest) = piece.split_once('\'').expect("it ends");
            let is_start_of_one = rest.trim_start().starts_with('~');
            if !is_start_of_one && !english.knows(key) {
                missing.push(format!("{name}: {key}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn a_text_of_parts_alone_keeps_its_direction_inside_another_one() {
    let words = Words::default();
    let date = |code: &str| {
        let mut parts = FluentArgs::new();
        for (name, value) in [("day", "21"), ("month", "نومبر"), ("time", "14:05")] {
            parts.set(name, value);
        }
        words.find(code).expect("carried").say("time-short", Some(&parts))
    };
    assert!(date("ur").starts_with("\u{200f}\u{2068}21"), "{}", date("ur").escape_unicode());
    assert!(date("en").starts_with("21 "), "{}", date("en").escape_unicode());
    assert_eq!(words.find("ur").expect("carried").say("nav-board", None), "بورڈ");
}
