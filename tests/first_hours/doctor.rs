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
