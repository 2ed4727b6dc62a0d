//! The keys of buttonwatch.toml and how they relate. Never tells the value of a key that may hold a secret.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use super::super::document::{Block, Document, Item};
use super::super::duration::{DAY, HOUR, MINUTE, SECOND, duration_text};
use super::super::problem::Problems;
use super::super::spelling::{nearest, quoted};
use super::*;
use crate::domain::CrewId;
use crate::domain::notice_plan::NoticePlan;
use crate::domain::report::ReportPeriod;

/// A month, and the history holds it with room to spare.
const LONGEST_PUBLIC_DELAY: Duration = Duration::from_secs(31 * 24 * HOUR.as_secs());

const TOP_KEYS: &[&str] = &[
    "data",
    "fleet",
    "rules",
    "root",
    "time_zone",
    "gateway",
    "external",
    "bus",
    "http",
    "mail",
    "notices",
    "crew",
    "signing",
    "judgement",
    "report",
    "influx",
    "alertmanager",
];

pub fn check(file: &str, text: &str) -> Result<ServiceConfig, Problems> {
    let document = Document::read(file, text)?;
    let root = document.root();
    root.only_keys(TOP_KEYS, |key| match key {
        "tokens" => Some("it is not supported yet; take it out for now".to_owned()),
        "crews" => Some("write each crew as its own [crew.<name>]".to_owned()),
        "timezone" => Some("did you mean time_zone?".to_owned()),
        "smtp" => Some("it belongs into [mail]: smtp = { … }".to_owned()),
        "influxdb" => Some("did you mean [influx]?".to_owned()),
        _ => None,
    });
    let defaults = ServiceConfig::default();
    let external = external(&root);
    let zone = time_zone(&root).unwrap_or(defaults.time_zone);
    let notices = notices(&root, NoticePlan { zone, ..defaults.notices });
    let config = ServiceConfig {
        data: path(&root, "data").unwrap_or(defaults.data),
        fleet: path(&root, "fleet"),
        rules: path(&root, "rules"),
        root: root.get("root").and_then(|i| topic_root(&i)).unwrap_or(defaults.root),
        time_zone: zone,
        gateway: gateway(&root, external.is_some()),
        external,
        bus: bus(&root, defaults.bus),
        http: http(&root, defaults.http),
        mail: mail(&root),
        crews: crews(&root, &notices),
        notices,
        signing: signing(&root),
        judgement: judgement(&root, defaults.judgement),
        report: report(&root, defaults.report),
        influx: section(&root, "influx").and_then(|block| influx::influx(&block)),
        alertmanager: alertmanager::alertmanager(&root),
    };
    one_address_each(&root, &config);
    document.finish(config)
}

/// `[key]`, called by its name. None: there is none, or it is no section (noted).
pub(super) fn section<'a>(root: &Block<'a>, key: &str) -> Option<Block<'a>> {
    let block = root.get(key)?.block()?;
    Some(block.called(format!("[{key}] ")))
}

pub(super) fn path(block: &Block<'_>, key: &str) -> Option<PathBuf> {
    let item = block.get(key)?;
    let text = item.words()?;
    if text.chars().any(char::is_control) {
        item.wrong("holds a control character; in \"…\" write a \\ as \\\\, or put the path in '…'");
        return None;
    }
    Some(PathBuf::from(text))
}

fn topic_root(item: &Item<'_>) -> Option<String> {
    let text = item.words()?;
    let fine = text.len() <= 100
        && !text.starts_with('$')
        && text.split('/').all(|part| !part.is_empty())
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '+' | '#'));
    if !fine {
        item.wrong(format_args!(
            "cannot be {}; write words with / between, such as \"buttonwatch/v1\", without + # $ and spaces",
            quoted(text)
        ));
    }
    fine.then(|| text.to_owned())
}

fn time_zone(block: &Block<'_>) -> Option<Tz> {
    let item = block.get("time_zone")?;
    let text = item.words()?;
    let zone = text.parse::<Tz>().ok();
    if zone.is_none() {
        let remedy = match nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|z| z.name())) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "write continent and city, such as \"Asia/Karachi\"".to_owned(),
        };
        item.wrong(format_args!("cannot be {}; {remedy}", quoted(text)));
    }
    zone
}

fn address(block: &Block<'_>, key: &str) -> Option<SocketAddr> {
    let item = block.get(key)?;
    let text = item.words()?;
    let with_name = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let found = with_name.as_deref().unwrap_or(text).parse::<SocketAddr>().ok();
    if found.is_none() {
        let remedy = match (text.parse::<IpAddr>(), text.parse::<u16>()) {
            (Ok(ip), _) => format!("add the port: \"{}\"", SocketAddr::new(ip, 1883)),
            (_, Ok(port)) => format!("add the address: \"127.0.0.1:{port}\""),
            (Err(_), Err(_)) => "write an address and a port, such as \"127.0.0.1:1883\"".to_owned(),
        };
        item.wrong(format_args!("cannot be {}; {remedy}", quoted(text)));
    }
    found
}

pub(super) fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn gateway(root: &Block<'_>, has_external: bool) -> Option<Gateway> {
    let defaults = Gateway::default();
    let Some(block) = section(root, "gateway") else {
        // A broker of their own replaces ours.
        return (!has_external).then_some(defaults);
    };
    block.only_keys(
        &["enabled", "listen", "tls", "passwords", "max_connections", "max_packet_bytes", "connect_timeout"],
        |key| match key {
            "max_packet" => Some("did you mean max_packet_bytes?".to_owned()),
            "port" | "host" => Some("write listen = \"address:port\"".to_owned()),
            _ => secret_remedy(key),
        },
    );
    let enabled = block.get("enabled").map(|i| i.flag());
    if has_external && enabled.is_none() {
        block.wrong("stands beside [external]: units come in by one of them; drop one, or write enabled = true here to run both");
    }
    let listen = address(&block, "listen").unwrap_or(defaults.listen);
    let passwords = path(&block, "passwords");
    if !listen.ip().is_loopback() && !block.has("passwords") && enabled != Some(Some(false)) {
        let item = block.get("listen").expect("only a listen that was given is not loopback");
        item.wrong(format_args!(
            "{listen} can be reached from outside, so units must log in; add passwords = \"passwords.txt\" (made with: \
             buttonwatch fleet password), or listen on 127.0.0.1"
        ));
    }
    let gateway = Gateway {
        listen,
        tls: block.sub("tls").and_then(|tls| certificate(&tls)),
        passwords,
        max_connections: block
            .get("max_connections")
            .and_then(|i| i.whole(1..=1_000_000))
            .unwrap_or(defaults.max_connections),
        // Less than a full payload of the protocol would refuse honest units.
        max_packet_bytes: block
            .get("max_packet_bytes")
            .and_then(|i| i.whole(17 * 1024..=16 * 1024 * 1024))
            .unwrap_or(defaults.max_packet_bytes),
        connect_timeout: block
            .get("connect_timeout")
            .and_then(|i| i.span(SECOND..=MINUTE * 5))
            .unwrap_or(defaults.connect_timeout),
    };
    (enabled != Some(Some(false))).then_some(gateway)
}

/// `{ cert, key }`, both or a note.
fn certificate(tls: &Block<'_>) -> Option<TlsServer> {
    tls.only_keys(&["cert", "key"], secret_remedy);
    let has_both = ["cert", "key"].map(|key| tls.need(key, "TLS needs the PEM files of both, cert and key").is_some());
    let (cert, key) = (path(tls, "cert"), path(tls, "key"));
    if has_both == [true, true] { Some(TlsServer { cert: cert?, key: key? }) } else { None }
}

/// A password must not stand in a file that people copy, mail and print.
pub(super) fn secret_remedy(key: &str) -> Option<String> {
    let is_secret = ["password", "pass", "passwd", "secret", "token"].contains(&key);
    is_secret
        .then(|| "put it in a file of its own, readable only by the service, and name that in password_file".to_owned())
}

fn external(root: &Block<'_>) -> Option<External> {
    let block = section(root, "external")?;
    block.only_keys(
        &["host", "port", "client_id", "username", "password_file", "plain_password", "tls", "keep_alive"],
        |key| match key {
            "url" | "broker" => Some("write host = \"…\" and port = …".to_owned()),
            "ca" | "cert" | "key" => Some(format!("it belongs into tls = {{ {key} = \"…\" }}")),
            _ => secret_remedy(key),
        },
    );
    let host = host(&block);
    let tls = client_tls(&block);
    let login = login(&block, tls.is_some(), host.as_deref());
    let client_id = match block.get("client_id") {
        Some(item) => client_id(&item),
        None => Some("buttonwatch".to_owned()),
    };
    let port = block.get("port").and_then(|i| i.whole(1..=65_535)).map(|p| p as u16);
    Some(External {
        host: host.unwrap_or_default(),
        port: port.unwrap_or(if tls.is_some() { 8883 } else { 1883 }),
        client_id: client_id.unwrap_or_default(),
        login,
        tls,
        keep_alive: block.get("keep_alive").and_then(|i| i.span(SECOND * 5..=HOUR)).unwrap_or(SECOND * 30),
    })
}

/// The value is never shown: people paste whole URLs with passwords here.
fn host(block: &Block<'_>) -> Option<String> {
    let item = block.need("host", "name the server, such as host = \"127.0.0.1\"")?;
    let text = item.words()?;
    let is_name =
        text.len() <= 253 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !is_name && text.parse::<IpAddr>().is_err() {
        item.wrong("must be a name or an address alone, without scheme, port or login; those have keys of their own");
        return None;
    }
    Some(text.to_owned())
}

fn client_id(item: &Item<'_>) -> Option<String> {
    let text = item.words()?;
    // Longer ids and other letters are refused, or worse, by some brokers.
    let fine = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !fine {
        item.wrong(format_args!("cannot be {}; use at most 64 letters, digits, - _ and .", quoted(text)));
    }
    fine.then(|| text.to_owned())
}

/// `tls = true`, or `{ ca, cert, key }`.
fn client_tls(block: &Block<'_>) -> Option<TlsClient> {
    let item = block.get("tls")?;
    if let Some(on) = item.as_flag() {
        return on.then(TlsClient::default);
    }
    // Wanted, even if it is written wrongly: nothing that follows should complain that there is none.
    let Some(tls) = item.block() else { return Some(TlsClient::default()) };
    tls.only_keys(&["ca", "cert", "key"], secret_remedy);
    let ca = path(&tls, "ca");
    let identity = match (tls.has("cert"), tls.has("key")) {
        (false, false) => None,
        (true, true) => path(&tls, "cert").zip(path(&tls, "key")).map(|(cert, key)| TlsServer { cert, key }),
        (true, false) | (false, true) => {
            item.wrong("has one of cert and key; give both or neither");
            None
        }
    };
    Some(TlsClient { ca, identity })
}

fn login(block: &Block<'_>, is_safe: bool, host: Option<&str>) -> Option<Login> {
    let username = block.get("username");
    let has_file = block.has("password_file");
    let plain_is_fine = block.get("plain_password").and_then(|i| i.flag()).unwrap_or(false);
    match &username {
        Some(item) if !has_file => item.wrong("stands without password_file; name the file that holds the password"),
        Some(item) if !is_safe && !plain_is_fine && host.is_some_and(|h| !is_loopback_host(h)) => item.wrong(
            "would send its password readable over the network; turn tls on, or, inside a private network that you trust, \
             write plain_password = true",
        ),
        Some(_) => {}
        None if has_file => block.wrong("password_file stands without username; give both or neither"),
        None => {}
    }
    let username = username?.words()?.to_owned();
    Some(Login { username, password_file: path(block, "password_file")? })
}

/// `listen` may be "off". None: off.
fn bus(root: &Block<'_>, default: Option<SocketAddr>) -> Option<SocketAddr> {
    let Some(block) = section(root, "bus") else { return default };
    block.only_keys(&["listen", "open"], secret_remedy);
    if block.get("listen").and_then(|i| i.as_text()) == Some("off") {
        return None;
    }
    let listen = address(&block, "listen").or(default)?;
    open_only_if_said(&block, listen, "anyone who reaches the bus can read what units send");
    Some(listen)
}

fn http(root: &Block<'_>, defaults: Http) -> Http {
    let Some(block) = section(root, "http") else { return defaults };
    block.only_keys(&["listen", "public_url", "open", "token", "translations"], |key| match key {
        "tokens" | "roles" => Some("write [[http.token]] blocks with name, role and file".to_owned()),
        "port" | "host" => Some("write listen = \"address:port\"".to_owned()),
        _ => None,
    });
    let listen = address(&block, "listen").unwrap_or(defaults.listen);
    let tokens = http_tokens(&block);
    // With tokens it is not open: who may do what is said.
    if !block.has("token") {
        open_only_if_said(
            &block,
            listen,
            "anyone who reaches it could change orders: name who may in [[http.token]] blocks",
        );
    }
    let public_url = block.get("public_url").and_then(|item| {
        let text = item.words()?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let fine = rest.is_some_and(|r| {
            !r.is_empty() && !r.starts_with('/') && r.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'@' | b'?' | b'#' | b'<' | b'>' | b'"'))
        });
        if !fine {
            item.wrong("must be where people's browsers find this service, such as \"https://buttons.example.org\", without login and ?");
        }
        fine.then(|| text.to_owned())
    });
    let translations = path(&block, "translations");
    Http { listen, public_url, tokens, translations }
}

fn http_tokens(block: &Block<'_>) -> Vec<HttpToken> {
    let mut tokens: Vec<HttpToken> = Vec::new();
    for token in block.blocks("token") {
        token.only_keys(&["name", "role", "file"], |key| match key {
            "token" | "secret" => {
                Some("put it in a file of its own, readable only by the service, and name that in file".to_owned())
            }
            _ => None,
        });
        let name = token.need("name", "who has it, such as name = \"control room\"").and_then(|i| i.words());
        let role = token.need("role", "viewer, crew or admin").and_then(|i| i.word());
        let file = token.need("file", "its first line is the token; `openssl rand -hex 16` makes one");
        let file = file.and_then(|_| path(&token, "file"));
        if let Some(name) = name
            && tokens.iter().any(|t| t.name == name)
        {
            token.wrong(format_args!("name {name:?} stands in another [[http.token]], too; give each its own"));
        }
        if let (Some(name), Some(role), Some(file)) = (name, role, file) {
            tokens.push(HttpToken { name: name.to_owned(), role, file });
        }
    }
    tokens
}

fn open_only_if_said(block: &Block<'_>, listen: SocketAddr, danger: &str) {
    let open = block.get("open").and_then(|i| i.flag()).unwrap_or(false);
    if let Some(item) = block.get("listen")
        && !listen.ip().is_loopback()
        && !open
    {
        item.wrong(format_args!(
            "{listen} can be reached from outside, and {danger}; listen on 127.0.0.1 behind a proxy with a login, or write \
             open = true if the network is closed"
        ));
    }
}

fn mail(root: &Block<'_>) -> Mail {
    let Some(block) = section(root, "mail") else { return Mail::default() };
    block.only_keys(&["from", "operator", "supervisor", "domain", "folder", "templates", "smtp"], |key| match key {
        "to" => Some("crews have their addresses in [crew.<name>], the operator in operator".to_owned()),
        "host" | "port" | "username" | "password_file" | "tls" => {
            Some(format!("it belongs into smtp = {{ {key} = … }}"))
        }
        "message_id" => Some("did you mean domain?".to_owned()),
        _ => secret_remedy(key),
    });
    let from = block.get("from").and_then(|i| mailbox(&i));
    let domain = match block.get("domain") {
        Some(item) => domain(&item),
        None => from.as_ref().map(|(_, domain)| domain.clone()),
    };
    let domain = domain.unwrap_or_else(|| NO_DOMAIN.to_owned());
    let folder = path(&block, "folder");
    let transport = match block.get("smtp") {
        Some(item) => {
            if block.has("folder") {
                item.wrong("stands beside folder; mails go one way: drop one");
            }
            if !block.has("from") {
                item.wrong(
                    "needs from: servers refuse mail without a true sender; add from = \"buttonwatch@your.domain\"",
                );
            }
            if !block.has("operator") {
                item.wrong("needs operator: who hears of incidents; add operator = \"name@your.domain\"");
            }
            // Written wrongly, it is noted, and what is returned is never used.
            block.sub("smtp").and_then(|inner| smtp(&inner)).map_or(MailTransport::Folder(None), MailTransport::Smtp)
        }
        None => MailTransport::Folder(folder),
    };
    Mail {
        from: from.map_or_else(|| format!("buttonwatch@{domain}"), |(text, _)| text),
        operator: block.get("operator").and_then(|i| plain_address(&i)).unwrap_or_else(|| format!("operator@{domain}")),
        supervisor: block.get("supervisor").and_then(|i| plain_address(&i)),
        templates: path(&block, "templates"),
        domain,
        transport,
    }
}

/// `address` or `Name <address>`, and its domain.
fn mailbox(item: &Item<'_>) -> Option<(String, String)> {
    let text = item.words()?;
    match text.parse::<lettre::message::Mailbox>() {
        Ok(mailbox) if !text.chars().any(char::is_control) => {
            Some((text.to_owned(), mailbox.email.domain().to_owned()))
        }
        Ok(_) | Err(_) => {
            item.wrong(format_args!("cannot be {}; write name@domain or \"Name <name@domain>\"", quoted(text)));
            None
        }
    }
}

fn plain_address(item: &Item<'_>) -> Option<String> {
    let text = item.words()?;
    if text.parse::<lettre::Address>().is_err() {
        item.wrong(format_args!("cannot be {}; write one address: name@domain", quoted(text)));
        return None;
    }
    Some(text.to_owned())
}

/// One address, or a list of them.
fn addresses(item: &Item<'_>) -> Vec<String> {
    /// More are a mailing list's work.
    const MOST: usize = 20;
    let parts = item.list();
    if parts.is_empty() {
        item.wrong("is an empty list; name an address, or drop the line");
    }
    if parts.len() > MOST {
        item.wrong(format_args!("has {} addresses, and at most {MOST} fit; use a mailing list", parts.len()));
    }
    let mut addresses: Vec<String> = Vec::new();
    for part in parts {
        let Some(address) = plain_address(&part) else { continue };
        if addresses.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
            part.wrong(format_args!("names {} twice; drop one", quoted(&address)));
            continue;
        }
        addresses.push(address);
    }
    addresses
}

fn domain(item: &Item<'_>) -> Option<String> {
    let text = item.words()?;
    // Message-IDs are made of plain letters, whatever the address allows.
    let fine = text.len() <= 200
        && text.split('.').all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'))
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if !fine {
        item.wrong(format_args!("cannot be {}; write the part after the @ of your addresses", quoted(text)));
    }
    fine.then(|| text.to_ascii_lowercase())
}

fn smtp(block: &Block<'_>) -> Option<Smtp> {
    block.only_keys(
        &[
            "host",
            "port",
            "tls",
            "ca",
            "username",
            "password_file",
            "plain_password",
            "per_minute",
            "retry_after",
            "retry_at_most",
        ],
        secret_remedy,
    );
    let host = host(block);
    let tls = match block.get("tls") {
        None => Some(SmtpTls::StartTls),
        Some(item) => match item.text()? {
            "starttls" => Some(SmtpTls::StartTls),
            "implicit" => Some(SmtpTls::Implicit),
            "none" => Some(SmtpTls::None),
            other => {
                item.wrong(format_args!("cannot be {}; write \"starttls\", \"implicit\" or \"none\"", quoted(other)));
                None
            }
        },
    };
    // A tls that is written wrongly is noted already, and was meant.
    let login = login(block, tls != Some(SmtpTls::None), host.as_deref());
    let default_port = match tls {
        Some(SmtpTls::StartTls) | None => 587,
        Some(SmtpTls::Implicit) => 465,
        Some(SmtpTls::None) => 25,
    };
    let port = block.get("port").and_then(|i| i.whole(1..=65_535)).map_or(default_port, |p| p as u16);
    let pace = mail_pace(block);
    Some(Smtp { host: host?, port, tls: tls?, ca: path(block, "ca"), login, pace })
}

fn mail_pace(block: &Block<'_>) -> MailPace {
    let defaults = MailPace::default();
    let span = |key: &str| block.get(key).and_then(|i| i.span(SECOND..=DAY));
    let retry_after = span("retry_after").unwrap_or(defaults.retry_after);
    // A first wait longer than the usual longest one is meant to be longer.
    let retry_at_most = span("retry_at_most").unwrap_or(defaults.retry_at_most.max(retry_after));
    if retry_after > retry_at_most {
        let item = block.get("retry_at_most").expect("the default is never below retry_after");
        item.wrong(format_args!("must be at least retry_after ({})", duration_text(retry_after)));
    }
    let per_minute = block.get("per_minute").and_then(|i| i.whole(1..=10_000)).unwrap_or(defaults.per_minute);
    MailPace { per_minute, retry_after, retry_at_most }
}

fn notices(root: &Block<'_>, base: NoticePlan) -> NoticePlan {
    let Some(block) = section(root, "notices") else { return base };
    block.only_keys(notices::KEYS, |key| match key {
        "depot" => Some("each crew has its own: write it into [crew.<name>]".to_owned()),
        "supervisor" => Some("it belongs into [mail], or into [crew.<name>]".to_owned()),
        _ => notices::remark(key),
    });
    notices::plan(&block, &base)
}

fn crews(root: &Block<'_>, usual: &NoticePlan) -> BTreeMap<CrewId, Crew> {
    let Some(all) = root.get("crew").and_then(|i| i.block()) else { return BTreeMap::new() };
    let mut crews = BTreeMap::new();
    for (name, item) in all.items() {
        let Ok(id) = CrewId::parse(name) else {
            item.wrong(format_args!("is no name of a crew: {}", crate::domain::SiteId::RULE));
            continue;
        };
        if !item.is_group() {
            item.wrong(format_args!("must be a section of its own: [crew.{}]", quoted(name)));
            continue;
        }
        let Some(block) = item.block() else { continue };
        let block = block.called(format!("[crew.{name}] "));
        let known = [&["mail", "phone", "time_zone", "supervisor", "depot"], notices::KEYS].concat();
        block.only_keys(&known, |key| match key {
            "email" | "address" => Some("did you mean mail?".to_owned()),
            "timezone" => Some("did you mean time_zone?".to_owned()),
            _ => notices::remark(key),
        });
        let phone = block.get("phone").and_then(|i| {
            let text = i.words()?;
            let fine = text.len() <= 40 && text.chars().all(|c| c.is_ascii_digit() || " +-()/".contains(c));
            if !fine {
                i.wrong(format_args!("cannot be {}; write digits, spaces and + - ( ) /", quoted(text)));
            }
            fine.then(|| text.to_owned())
        });
        let mail = block.get("mail").map(|i| addresses(&i)).unwrap_or_default();
        let supervisor = block.get("supervisor").and_then(|i| plain_address(&i));
        let time_zone = time_zone(&block);
        let base = NoticePlan { zone: time_zone.unwrap_or(usual.zone), ..usual.clone() };
        crews.insert(id, Crew { mail, phone, supervisor, time_zone, notices: notices::plan(&block, &base) });
    }
    crews
}

fn signing(root: &Block<'_>) -> Signing {
    let Some(block) = section(root, "signing") else { return Signing::default() };
    block.only_keys(&["required", "keys"], secret_remedy);
    let required = block.get("required").and_then(|i| i.flag()).unwrap_or(false);
    let keys = path(&block, "keys");
    if required && !block.has("keys") {
        block.wrong("required needs keys: name the file with each unit's key, such as keys = \"unit-keys.txt\"");
    }
    Signing { required, keys }
}

fn judgement(root: &Block<'_>, defaults: Judgement) -> Judgement {
    let Some(block) = section(root, "judgement") else { return defaults };
    block.only_keys(&["hold", "relapse_within", "selftest_valid", "heartbeat", "targets"], |key| match key {
        "P1" | "P2" | "P3" | "p1" | "p2" | "p3" => Some("it belongs into targets = { p1 = \"4h\", … }".to_owned()),
        _ => None,
    });
    let span = |key: &str, range: std::ops::RangeInclusive<Duration>, default: Duration| {
        block.get(key).and_then(|i| i.span_or_zero(range)).unwrap_or(default)
    };
    Judgement {
        hold: span("hold", SECOND * 10..=DAY * 7, defaults.hold),
        relapse_within: span("relapse_within", MINUTE..=LONGEST_JUDGEMENT, defaults.relapse_within),
        selftest_valid: block
            .get("selftest_valid")
            .and_then(|i| i.span(MINUTE..=LONGEST_JUDGEMENT))
            .unwrap_or(defaults.selftest_valid),
        heartbeat: block.get("heartbeat").and_then(|i| i.span(SECOND..=DAY)).unwrap_or(defaults.heartbeat),
        targets: targets(&block, defaults.targets),
    }
}

fn targets(judgement: &Block<'_>, defaults: PriorityTargets) -> PriorityTargets {
    let Some(block) = judgement.sub("targets") else { return defaults };
    block.only_keys(&["p1", "p2", "p3"], |key| match key {
        "p4" | "P4" => Some("P4 waits for the next visit and has no time".to_owned()),
        "P1" | "P2" | "P3" => Some("write it with a small p".to_owned()),
        _ => None,
    });
    let target = |key: &str, default: Duration| match block.get(key) {
        Some(item) => item.span(MINUTE..=LONGEST_JUDGEMENT),
        None => Some(default),
    };
    let spans = (target("p1", defaults.p1), target("p2", defaults.p2), target("p3", defaults.p3));
    let (Some(p1), Some(p2), Some(p3)) = spans else { return defaults };
    if p1 > p2 || p2 > p3 {
        block.wrong("targets must grow: p1 is the soonest, then p2, then p3 (p1 4h, p2 24h, p3 7d where not given)");
    }
    PriorityTargets { p1, p2, p3 }
}

fn report(root: &Block<'_>, defaults: Report) -> Report {
    let Some(block) = section(root, "report") else { return defaults };
    block.only_keys(
        &["public_delay", "public_smallest_group", "public_period", "mailed", "mailed_at", "readers"],
        |key| match key {
            "to" | "mail" => Some("did you mean readers?".to_owned()),
            "at" => Some("did you mean mailed_at?".to_owned()),
            "delay" | "smallest_group" | "period" => Some(format!("did you mean public_{key}?")),
            "public_min_group" | "public_group" => Some("did you mean public_smallest_group?".to_owned()),
            _ => None,
        },
    );
    let period = block.get("public_period").and_then(|item| report_period(&item));
    let mailed = block.get("mailed").map(|item| match item.as_text() {
        Some("off") => Vec::new(),
        Some(_) | None => item.list().iter().filter_map(report_period).collect(),
    });
    Report {
        // Less, and who watches the page and the street sees a dead button while it is one.
        public_delay: block
            .get("public_delay")
            .and_then(|i| i.span(HOUR..=LONGEST_PUBLIC_DELAY))
            .unwrap_or(defaults.public_delay),
        // Two tell each other's figures by their own.
        public_smallest_group: block
            .get("public_smallest_group")
            .and_then(|i| i.whole(3..=1_000))
            .map_or(defaults.public_smallest_group, |n| n as usize),
        public_period: period.unwrap_or(defaults.public_period),
        mailed: mailed.unwrap_or(defaults.mailed),
        mailed_at: block.get("mailed_at").and_then(|i| notices::time_of_day(&i)).unwrap_or(defaults.mailed_at),
        readers: block.get("readers").map(|i| addresses(&i)).unwrap_or_default(),
    }
}

fn report_period(item: &Item<'_>) -> Option<ReportPeriod> {
    let text = item.text()?;
    let period = text.parse().ok();
    if period.is_none() {
        item.wrong(format_args!("cannot be {}; write \"daily\", \"weekly\" or \"monthly\"", quoted(text)));
    }
    period
}

/// Two listeners cannot share an address. Port 0 is any free one.
fn one_address_each(root: &Block<'_>, config: &ServiceConfig) {
    let listeners = [
        ("gateway", config.gateway.as_ref().map(|g| g.listen)),
        ("bus", config.bus),
        ("http", Some(config.http.listen)),
    ];
    for (i, (name, listen)) in listeners.iter().enumerate() {
        let Some(listen) = listen.filter(|l| l.port() != 0) else { continue };
        let other = listeners[..i].iter().find(|(_, o)| {
            o.is_some_and(|o| {
                o.port() == listen.port()
                    && (o.ip() == listen.ip() || o.ip().is_unspecified() || listen.ip().is_unspecified())
            })
        });
        let Some((other, _)) = other else { continue };
        // Told at the one that the file names; both cannot be defaults.
        for key in [name, other] {
            if let Some(item) = section(root, key).and_then(|b| b.get("listen")) {
                item.wrong(format_args!("{listen} is taken by both {other} and {name}; give one of them another port"));
                break;
            }
        }
    }
}
