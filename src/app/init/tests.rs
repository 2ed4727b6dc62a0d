use proptest::prelude::*;

use super::*;
use crate::config::alerts::check_alerts;
use crate::config::fleet::check_fleet;
use crate::config::service::{
    External, Gateway, Http, HttpToken, Influx, Login, Mail, MailPace, MailTransport, Smtp, TlsClient, check_service,
};
use crate::io::gateway::passwords::PasswordFile;

/// The settings that these answers mean, said without the text that is tested.
fn meant(answers: &Answers, place: &Path) -> ServiceConfig {
    let usual = ServiceConfig::default();
    let at = |name: &str| place.join(name);
    let file = |secret: &Secret, ours: &str| match secret {
        Secret::InFile(path) => path.clone(),
        Secret::None | Secret::Typed(_) => at(ours),
    };
    let takes_units = answers.broker.is_none();
    let taken = takes_units && answers.listen.port() == 1884 || answers.web.listen().port() == 1884;
    let operator = answers.operator.clone();
    let mail = match &answers.smtp {
        None => Mail { operator: operator.unwrap_or(usual.mail.operator), ..usual.mail },
        Some(smtp) => Mail {
            from: sender(&answers.name, &smtp.from),
            operator: operator.expect("mails by SMTP have an operator"),
            supervisor: None,
            domain: smtp.from.rsplit('@').next().unwrap_or_default().to_owned(),
            templates: None,
            transport: MailTransport::Smtp(Smtp {
                host: smtp.host.clone(),
                port: smtp.port,
                tls: smtp.tls,
                ca: None,
                login: smtp
                    .username
                    .clone()
                    .map(|username| Login { username, password_file: file(&smtp.secret, MAIL_PASSWORD_FILE) }),
                pace: MailPace::default(),
            }),
        },
    };
    ServiceConfig {
        data: answers.data.clone().unwrap_or_else(|| at("buttonwatch-data")),
        fleet: answers.example.then(|| at(FLEET_FILE)),
        rules: Some(at(RULES_FILE)),
        time_zone: answers.time_zone,
        gateway: takes_units.then(|| Gateway {
            listen: answers.listen,
            tls: answers.tls.clone(),
            passwords: answers.passwords.then(|| at(PASSWORDS_FILE)),
            ..Gateway::default()
        }),
        external: answers.broker.as_ref().map(|b| External {
            host: b.host.clone(),
            port: b.port,
            client_id: "buttonwatch".to_owned(),
            login: b
                .username
                .clone()
                .map(|username| Login { username, password_file: file(&b.secret, BROKER_PASSWORD_FILE) }),
            tls: b.tls.then_some(TlsClient { ca: None, identity: None }),
            keep_alive: std::time::Duration::from_secs(30),
        }),
        bus: usual.bus.filter(|_| !taken),
        http: Http {
            listen: answers.web.listen(),
            public_url: match &answers.web {
                WebAnswer::Proxy { public_url, .. } => Some(public_url.clone()),
                WebAnswer::Here(_) | WebAnswer::Network { .. } => None,
            },
            translations: None,
            tokens: match &answers.web {
                WebAnswer::Network { .. } => vec![HttpToken {
                    name: "operator".to_owned(),
                    role: crate::domain::access::Role::Admin,
                    file: at(WEB_TOKEN_FILE),
                }],
                WebAnswer::Here(_) | WebAnswer::Proxy { .. } => Vec::new(),
            },
        },
        mail,
        influx: answers.influx.as_ref().map(|i| Influx {
            url: i.url.clone(),
            org: i.org.clone(),
            bucket: "buttonwatch".to_owned(),
            token_file: (i.secret != Secret::None).then(|| file(&i.secret, INFLUX_TOKEN_FILE)),
            ca: None,
            timeout: std::time::Duration::from_secs(10),
            spool_max_mb: 1024,
        }),
        notices: crate::domain::notice_plan::NoticePlan { zone: answers.time_zone, ..usual.notices },
        ..usual
    }
}

fn secret(file: &'static str) -> impl Strategy<Value = Secret> {
    prop_oneof![
        Just(Secret::InFile(PathBuf::from(file))),
        "[ -~]{1,20}[!-~]".prop_map(|text| Secret::Typed(text.trim().to_owned())),
    ]
}

fn smtp() -> impl Strategy<Value = SmtpAnswer> {
    let tls = prop_oneof![Just(SmtpTls::StartTls), Just(SmtpTls::Implicit), Just(SmtpTls::None)];
    let login = prop_oneof![
        Just((None, Secret::None)),
        ("[a-z\"\\\\@. ]{0,8}[a-z]", secret("/run/it's \"here\"/mail"))
            .prop_map(|(user, s)| (Some(user.trim().to_owned()), s)),
    ];
    (prop_oneof!["127\\.0\\.0\\.1", "mail\\.example\\.org"], 1u16.., tls, login, "[a-z]{1,8}@[a-z]{1,8}\\.org")
        .prop_filter("a login is not sent in the clear to others", |(host, _, tls, (user, _), _)| {
            !(*tls == SmtpTls::None && user.is_some() && host != "127.0.0.1")
        })
        .prop_map(|(host, port, tls, (username, secret), from)| SmtpAnswer { host, port, tls, username, secret, from })
}

fn broker() -> impl Strategy<Value = BrokerAnswer> {
    let login = prop_oneof![
        Just((None, Secret::None)),
        ("[a-z\"\\\\@. ]{0,8}[a-z]", secret("/run/it's \"here\"/broker"))
            .prop_map(|(user, s)| (Some(user.trim().to_owned()), s)),
    ];
    (prop_oneof!["127\\.0\\.0\\.1", "mqtt\\.example\\.org"], 1u16.., any::<bool>(), login)
        .prop_map(|(host, port, tls, (username, secret))| BrokerAnswer { host, port, tls, username, secret })
}

fn influx() -> impl Strategy<Value = InfluxAnswer> {
    let url = prop_oneof![Just("http://127.0.0.1:8086"), Just("https://influx.example.org"), Just("http://[::1]:8086")];
    (url, "[a-z][a-z \u{600}-\u{6ff}]{0,8}[a-z]", prop_oneof![Just(Secret::None), secret("token")])
        .prop_map(|(url, org, secret)| InfluxAnswer { url: url.to_owned(), org, secret })
}

fn answers() -> impl Strategy<Value = Answers> {
    let listen = prop_oneof![
        Just("127.0.0.1:1883"),
        Just("0.0.0.0:8883"),
        Just("[::1]:1883"),
        Just("[::]:8883"),
        Just("127.0.0.1:1884"),
    ];
    let tls = prop_oneof![
        Just(None),
        Just(Some(TlsServer { cert: "certs/it's mine.pem".into(), key: "C:\\key \"1\".pem".into() })),
    ];
    let web = prop_oneof![
        Just(WebAnswer::Here("127.0.0.1:8680".parse().expect("an address"))),
        Just(WebAnswer::Proxy {
            listen: "127.0.0.1:1884".parse().expect("an address"),
            public_url: "https://buttons.example.org/x".to_owned()
        }),
        Just(WebAnswer::Network {
            listen: "0.0.0.0:8680".parse().expect("an address"),
            token: WebToken("0123456789abcdef".to_owned())
        }),
    ];
    let zone = (0..chrono_tz::TZ_VARIANTS.len()).prop_map(|i| chrono_tz::TZ_VARIANTS[i]);
    let mails = prop_oneof![
        Just((None, None)),
        Just((Some("duty@example.org".to_owned()), None)),
        smtp().prop_map(|s| (Some("duty+night@example.org".to_owned()), Some(s))),
    ];
    let data = prop_oneof![Just(None), Just(Some(PathBuf::from("/var/lib/it's \"data\"")))];
    let rest =
        (web, (zone, data), mails, proptest::option::of(influx()), proptest::option::of(broker()), any::<bool>());
    ("[^\\p{C}]{0,20}", listen, tls, any::<bool>(), rest)
        .prop_map(
            |(name, listen, tls, passwords, (web, (time_zone, data), (operator, smtp), influx, broker, example))| {
                let listen: SocketAddr = listen.parse().expect("an address");
                let passwords = broker.is_none() && (passwords || !listen.ip().is_loopback());
                Answers { name, time_zone, data, listen, tls, passwords, broker, operator, smtp, influx, web, example }
            },
        )
        .prop_filter("two listeners never share an address", |a| a.listen.port() != a.web.listen().port())
}

proptest! {
    #[test]
    fn whatever_is_answered_the_files_are_accepted_and_mean_that(
        answers in answers(),
        place in prop_oneof![Just(""), Just("/etc/it's a \"folder\"")],
    ) {
        let place = Path::new(place);
        let files = files(&answers, place);
        let text = |name: &str| files.iter().find(|f| f.name == name).map(|f| f.text.clone());
        let settings = text(SETTINGS_FILE).expect("settings are always written");
        let found = check_service(SETTINGS_FILE, &settings);
        prop_assert_eq!(found.map_err(|p| format!("{p}\n{settings}")), Ok(meant(&answers, place)));
        prop_assert!(check_alerts(RULES_FILE, &text(RULES_FILE).expect("rules are always written")).is_ok());
        let fleet = check_fleet(FLEET_FILE, text(FLEET_FILE).expect("a fleet file is always written").as_bytes());
        prop_assert_eq!(fleet.map(|units| units.len()).map_err(|p| p.list().len()), if answers.example { Ok(1) } else { Err(1) });
        if let Some(passwords) = text(PASSWORDS_FILE) {
            prop_assert_eq!(PasswordFile::check(PASSWORDS_FILE, &passwords).map(|p| p.len()), Ok(0));
        }
        for file in &files {
            prop_assert_eq!(file.secret, ![SETTINGS_FILE, RULES_FILE, FLEET_FILE].contains(&file.name));
        }
        prop_assert!(settings.lines().all(|l| !l.contains("Typed")));
        if let Some(BrokerAnswer { secret: Secret::Typed(password), .. }) = &answers.broker {
            prop_assert_eq!(text(BROKER_PASSWORD_FILE), Some(format!("{password}\n")));
        }
        if let Some(SmtpAnswer { secret: Secret::Typed(password), .. }) = &answers.smtp {
            prop_assert_eq!(text(MAIL_PASSWORD_FILE), Some(format!("{password}\n")));
        }
    }
}

#[test]
fn one_file_that_is_there_and_none_is_written() {
    let folder = tempfile::tempdir().expect("scratch folder");
    let files = files(&Answers { passwords: true, ..Answers::default() }, Path::new(""));
    for file in &files {
        let path = folder.path().join(file.name);
        fs::write(&path, "mine").expect("writable");
        let error = write_all(folder.path(), &files).expect_err("a file is there");
        assert!(error.contains(file.name) && error.contains("nothing was written"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
        assert_eq!(fs::read_to_string(&path).expect("readable"), "mine");
        fs::remove_file(&path).expect("removable");
    }
}

#[test]
fn what_was_written_before_a_failure_goes_again() {
    let folder = tempfile::tempdir().expect("scratch folder");
    let new = folder.path().join("new");
    let good = NewFile { name: "one", text: "1".to_owned(), secret: false };
    let bad = NewFile { name: "no/such/folder", text: "2".to_owned(), secret: false };
    assert!(write_all(&new, &[good.clone(), bad]).is_err());
    assert!(!new.exists());
    write_all(&new, &[NewFile { secret: true, ..good }]).expect("nothing stands in the way");
    let mode = fs::metadata(new.join("one")).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
