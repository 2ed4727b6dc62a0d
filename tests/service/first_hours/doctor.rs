//! What doctor's page looks like: of a service that is well, and of one where nearly everything is wrong.

use std::net::TcpListener;

use crate::process::run;

/// What differs from run to run, by what stands for it.
fn steady(page: &str, known: &[(&str, &str)]) -> String {
    let mut page = page.to_owned();
    for (text, name) in known {
        page = page.replace(text, name);
    }
    page.lines()
        .map(|line| match line {
            l if l.contains("  clock  ") => "[clock]",
            l if l.contains("  disk  ") => "[disk]",
            l if l.trim_start().starts_with("known here") || l.contains("timedatectl") => "[clock, more]",
            l => l,
        })
        .filter(|l| *l != "[clock, more]")
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_good_and_a_very_bad_configuration_at_80_columns() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let made = run(dir.path(), &["init", "--yes", "--example", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    assert!(made.status.success(), "{made:?}");
    let settings = dir.path().join("buttonwatch.toml");
    let text = std::fs::read_to_string(&settings).expect("readable").replace("\"127.0.0.1:1884\"", "\"off\"");
    std::fs::write(&settings, format!("{text}\n[crew.saddar]\nmail = \"saddar@example.org\"\n")).expect("writable");
    // Nothing listens there.
    let nowhere = "http://127.0.0.1:9";
    let good = run(dir.path(), &["doctor", "--config", "buttonwatch.toml", "--server", nowhere]);
    assert!(good.status.success(), "{good:?}");
    insta::assert_snapshot!("good", steady(&good.out, &[]));

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("writable");
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    write("server.pem", &certificate.cert.pem());
    write("password", "secret\n");
    write("empty", "");
    std::fs::create_dir(dir.path().join("data")).expect("made");
    write("data/buttonwatch.db", "this is no database, and long enough to be read as one");
    write("data/links.key", "half a key");
    write("fleet.csv", "unit,site,city,crew\nPSH-001,A,Peshawar,saddar\nPSH-002,B,Peshawar,saddar\n");
    write(
        "quiet.toml",
        "[[rule]]\nid = \"warm\"\ncomponent = \"enclosure\"\nmetric = \"enclosure.temperature\"\nabove = 70\nclear_below = 60\n",
    );
    write(
        "bad.toml",
        &format!(
            "data = \"data\"\nfleet = \"fleet.csv\"\nrules = \"quiet.toml\"\n[gateway]\nenabled = true\nlisten = \"{taken}\"\n\
             passwords = \"empty\"\ntls = {{ cert = \"server.pem\", key = \"no-key.pem\" }}\n[external]\nhost = \"127.0.0.1\"\n\
             port = 9\nusername = \"watch\"\npassword_file = \"password\"\n[bus]\nlisten = \"off\"\n[http]\nlisten = \"0.0.0.0:0\"\n\
             open = true\n[mail]\nfrom = \"b@example.org\"\noperator = \"duty@example.org\"\nsmtp = {{ host = \"127.0.0.1\", port = 9, \
             tls = \"none\" }}\n[crew.sadar]\nmail = \"a@example.org\"\n[influx]\nurl = \"http://127.0.0.1:9\"\ntoken_file = \"empty\"\n"
        ),
    );
    let bad = run(dir.path(), &["doctor", "--config", "bad.toml", "--server", nowhere]);
    assert_eq!(bad.status.code(), Some(1), "{bad:?}");
    insta::assert_snapshot!("very-bad", steady(&bad.out, &[(&taken.to_string(), "127.0.0.1:PORT")]));
    assert!(bad.out.lines().all(|l| buttonwatch::render::table::width(l) <= 80), "{}", bad.out);

    let json = run(dir.path(), &["doctor", "--config", "bad.toml", "--server", nowhere, "--output", "json"]);
    let found: serde_json::Value = serde_json::from_str(&json.out).expect("JSON and nothing else");
    let bad_ones = found.as_array().expect("a list").iter().filter(|f| f["state"] == "bad").count();
    assert_eq!(bad_ones, bad.out.lines().filter(|l| l.starts_with("WRONG")).count(), "{found}");
}

#[test]
fn the_first_start_is_no_fault() {
    let dir = tempfile::tempdir().expect("scratch folder");
    std::fs::create_dir(dir.path().join("buttonwatch-data")).expect("made, as systemd does");
    let out = run(dir.path(), &["doctor", "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--bus", "off"]);
    assert!(out.status.success() && out.out.contains("not there yet: `serve` makes it"), "{out:?}");
}

/// A service with these sections, looked at.
#[test]
fn settings_that_lie_here_and_were_not_named_are_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("buttonwatch.toml"), "data = \"elsewhere\"\n").unwrap();
    let args = [
        "doctor",
        "--http",
        "127.0.0.1:0",
        "--listen",
        "127.0.0.1:0",
        "--bus",
        "off",
        "--server",
        "http://127.0.0.1:9",
    ];
    let unnamed = run(dir.path(), &args).out;
    assert!(unnamed.contains("look   settings") && unnamed.contains("is not read"), "{unnamed}");
    let named = run(dir.path(), &[args.as_slice(), &["--config", "buttonwatch.toml"]].concat()).out;
    assert!(!named.contains("look   settings"), "{named}");
}

fn looked_at(dir: &std::path::Path, sections: &str) -> String {
    let text = format!("[http]\nlisten = \"127.0.0.1:0\"\n[bus]\nlisten = \"off\"\n{sections}");
    std::fs::write(dir.join("looked-at.toml"), text).expect("writable");
    let page = run(dir, &["doctor", "--config", "looked-at.toml", "--server", "http://127.0.0.1:9"]).out;
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_external_broker_is_tried_with_the_services_own_login() {
    let setup = crate::mosquitto::Setup::new().user("watch", "right word");
    let Some(broker) = crate::mosquitto::Mosquitto::start(setup) else { return };
    let dir = tempfile::tempdir().expect("scratch folder");
    let section = format!(
        "[external]\nhost = \"127.0.0.1\"\nport = {}\nusername = \"watch\"\npassword_file = \"password\"\n",
        broker.port()
    );
    for (password, said) in [
        ("right word", "ok external broker 127.0.0.1:PORT lets us in, and read buttonwatch/v1/#"),
        ("wrong word", "WRONG external broker the MQTT broker at 127.0.0.1:PORT refused user \"watch\""),
        ("", "WRONG external broker password is empty"),
    ] {
        std::fs::write(dir.path().join("password"), password).expect("writable");
        let page = looked_at(dir.path(), &section);
        assert!(page.contains(&said.replace("PORT", &broker.port().to_string())), "{password:?}: {page}");
    }
    // A service of that name is not thrown out by the look.
    assert!(
        broker.log().contains("buttonwatch-doctor-") && !broker.log().contains("as buttonwatch ("),
        "{}",
        broker.log()
    );
}

/// What it heard. It says yes to everything but a wrong password.
fn mail_server() -> (u16, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || {
        let mut heard = Vec::new();
        let (mut socket, _) = listener.accept().expect("doctor comes");
        let mut lines = BufReader::new(socket.try_clone().expect("a second handle")).lines();
        socket.write_all(b"220 mail.example.org\r\n").expect("writes");
        while let Some(Ok(line)) = lines.next() {
            let answer: &[u8] = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => b"250-mail.example.org\r\n250 AUTH PLAIN\r\n",
                // \0watch\0right
                "AUTH" if line.ends_with("AHdhdGNoAHJpZ2h0") => b"235 welcome\r\n",
                "AUTH" => b"535 wrong\r\n",
                "QUIT" => b"221 bye\r\n",
                _ => b"250 yes\r\n",
            };
            heard.push(line);
            if socket.write_all(answer).is_err() {
                break;
            }
        }
        heard
    });
    (port, server)
}

#[test]
fn the_mail_server_is_tried_up_to_the_login_and_gets_no_mail() {
    let dir = tempfile::tempdir().expect("scratch folder");
    for (password, said) in [
        ("right", "ok mail server 127.0.0.1:PORT answers, and takes our login"),
        ("wrong", "WRONG mail server 127.0.0.1:PORT: the login was not accepted; check user and password"),
    ] {
        let (port, server) = mail_server();
        std::fs::write(dir.path().join("password"), password).expect("writable");
        let mail = format!(
            "[mail]\nfrom = \"b@example.org\"\noperator = \"duty@example.org\"\nsmtp = {{ host = \"127.0.0.1\", port = {port}, \
             tls = \"none\", username = \"watch\", password_file = \"password\" }}\n"
        );
        let page = looked_at(dir.path(), &format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{mail}"));
        assert!(page.contains(&said.replace("PORT", &port.to_string())), "{page}");
        let heard = server.join().expect("it served");
        assert!(
            heard.iter().any(|l| l.starts_with("AUTH")) && !heard.iter().any(|l| l.starts_with("MAIL")),
            "{heard:?}"
        );
    }
}

#[test]
fn a_certificate_that_ends_soon_or_has_ended_is_told() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).expect("writable");
    let tls = "[gateway]\nlisten = \"127.0.0.1:0\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let days = |from_now: i64| {
        let now = chrono::DateTime::from_timestamp_millis(crate::process::millis_now()).expect("a time");
        (now + chrono::Duration::days(from_now)).format("%Y-%m-%d").to_string()
    };
    for (ends, said) in [
        (-1, "WRONG units' TLS cert.pem ended on"),
        (10, "look units' TLS cert.pem ends on"),
        (200, "ok units' TLS certificate and key belong together, good until"),
    ] {
        let day = days(ends);
        let mut parts = day.split('-').map(|p| p.parse::<i32>().expect("a number"));
        let mut part = || parts.next().expect("three of them");
        let (year, month, day_of_month) = (part(), part() as u8, part() as u8);
        let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        wanted.not_after = rcgen::date_time_ymd(year, month, day_of_month);
        let made = wanted.self_signed(&key).expect("a certificate");
        std::fs::write(dir.path().join("cert.pem"), made.pem()).expect("writable");
        let page = looked_at(dir.path(), tls);
        assert!(page.contains(&format!("{said} {day}")), "{page}");
    }
    let other = rcgen::KeyPair::generate().expect("a key");
    std::fs::write(dir.path().join("key.pem"), other.serialize_pem()).expect("writable");
    let page = looked_at(dir.path(), tls);
    assert!(page.contains("WRONG units' TLS"), "{page}");
}
