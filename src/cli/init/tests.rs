use super::*;

/// What the person types, and what is asked: the answers, or why it ended, and everything that was shown.
fn talk(args: &Init, typed: &str) -> (Result<Answers, Failure>, String) {
    let mut input = typed.as_bytes();
    let mut output = Vec::new();
    let place = PathBuf::new();
    let mut answers = said(args, &place).expect("the flags are fine");
    let mut talk = Talk { input: &mut input, output: &mut output, hide: || None, place: &place };
    let asked = talk.ask_what_is_left(args, &mut answers);
    (asked.map(|()| answers), String::from_utf8(output).expect("questions are text"))
}

#[test]
fn enter_takes_the_defaults() {
    let (answers, shown) = talk(&Init::default(), &"\n".repeat(20));
    assert_eq!(answers, Ok(Answers::default()), "{shown}");
    assert!(fault(&Answers::default(), Path::new("")).is_none());
}

#[test]
fn a_wrong_answer_is_asked_again_with_the_reason() {
    let typed = "\nAsia/Karachy\nAsia/Karachi\n3\n70000\n8680\n1883\nduty\nduty@example.org\nmail server\nmail.example.org\n\
                 tls\nnone\nwatch\n\n\nstill nobody\n";
    let (answers, shown) = talk(&Init::default(), typed);
    assert!(answers.is_err());
    insta::assert_snapshot!(shown);
}

#[test]
fn a_whole_conversation_gives_what_was_said() {
    let typed = "Lahore\nAsia/Karachi\n3\n\nduty@example.org\nmail.example.org:465\n\nwatch\nsecret word\n\nhttp://127.0.0.1:8086\n\
                 police\ntoken-1\n2\n\nhttps://buttons.example.org\nyes\n";
    let (answers, shown) = talk(&Init::default(), typed);
    let answers = answers.expect("every question was answered");
    assert_eq!(answers.name, "Lahore", "{shown}");
    assert_eq!(answers.listen.to_string(), "0.0.0.0:1883");
    assert!(answers.passwords && answers.example);
    assert_eq!(
        answers.smtp,
        Some(SmtpAnswer {
            host: "mail.example.org".to_owned(),
            port: 465,
            tls: SmtpTls::Implicit,
            username: Some("watch".to_owned()),
            secret: Secret::Typed("secret word".to_owned()),
            from: "buttonwatch@example.org".to_owned(),
        })
    );
    let influx = answers.influx.clone().expect("it was named");
    assert_eq!((influx.org.as_str(), &influx.secret), ("police", &Secret::Typed("token-1".to_owned())));
    let listen = "127.0.0.1:8680".parse().expect("an address");
    assert_eq!(answers.web, WebAnswer::Proxy { listen, public_url: "https://buttons.example.org".to_owned() });
    assert_eq!(fault(&answers, Path::new("")), None);
    assert!(!shown.contains("secret word"), "{shown}");
}

#[test]
fn units_may_talk_to_a_broker_that_is_there() {
    let (answers, shown) =
        talk(&Init::default(), &format!("\n\n4\nmqtt.example.org:8883\n\nwatch\nsecret word\n{}", "\n".repeat(9)));
    let answers = answers.expect("every question was answered");
    let broker = BrokerAnswer {
        host: "mqtt.example.org".to_owned(),
        port: 8883,
        tls: true,
        username: Some("watch".to_owned()),
        secret: Secret::Typed("secret word".to_owned()),
    };
    assert_eq!(answers.broker, Some(broker.clone()), "{shown}");
    assert_eq!(fault(&answers, Path::new("")), None);
    assert!(!shown.contains("secret word") && !shown.contains("Port [1883]"), "{shown}");

    let flags = Init { broker: Some("127.0.0.1".to_owned()), ..Init::default() };
    let (answers, shown) = talk(&flags, &"\n".repeat(9));
    let broker =
        BrokerAnswer { host: "127.0.0.1".to_owned(), port: 1883, tls: false, username: None, secret: Secret::None };
    assert_eq!(answers.expect("the rest has defaults").broker, Some(broker));
    assert!(!shown.contains("Where do units connect"), "{shown}");
    let wrong = broker_at("mqtt.example.org:mqtt", false).expect_err("no port");
    assert!(wrong.contains("mqtt.example.org:8883"), "{wrong}");
}

#[test]
fn what_the_flags_say_is_not_asked() {
    let args = Init {
        name: Some("Swat".to_owned()),
        listen: Some("127.0.0.1:2000".parse().expect("an address")),
        passwords: true,
        operator: Some("duty@example.org".to_owned()),
        influx: Some("http://127.0.0.1:8086".to_owned()),
        http: Some("127.0.0.1:9000".parse().expect("an address")),
        ..Init::default()
    };
    let (answers, shown) = talk(&args, &"\n".repeat(20));
    let answers = answers.expect("the rest has defaults");
    assert_eq!((answers.name.as_str(), answers.listen.port(), answers.web.listen().port()), ("Swat", 2000, 9000));
    assert!(!shown.contains("City") && !shown.contains("Port") && !shown.contains("Operator"), "{shown}");
}

#[test]
fn no_more_answers_end_it() {
    for lines in 0..6 {
        let (answers, _) = talk(&Init::default(), &"\n".repeat(lines));
        assert_eq!(answers, Err(Failure::failed("ended before the last question: nothing was written")));
    }
}

#[test]
fn names_are_typed_as_a_shell_takes_them() {
    assert_eq!(shell_word("/etc/buttonwatch/buttonwatch.toml"), "/etc/buttonwatch/buttonwatch.toml");
    assert_eq!(shell_word("it's here/a b"), "'it'\\''s here/a b'");
}
