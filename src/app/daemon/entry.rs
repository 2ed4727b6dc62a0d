//! What the ways in need from `buttonwatch.toml`: passwords, keys, certificates. Owns reading those files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::service::{External as Broker, HttpToken, Influx as InfluxSettings, Login, ServiceConfig};
use crate::domain::Token;
use crate::io::gateway::passwords::PasswordFile;
use crate::io::gateway::{GatewayConfig, GatewayHandle, Identity, TlsFiles};
use crate::io::http::Links;
use crate::io::influx::InfluxConfig;
use crate::io::mqtt::{ExternalConfig, ExternalIdentity, ExternalTls};
use crate::render::board::Words;
use crate::wire::signature::{Signing, parse_keys};

use super::ServeError;
use super::judge::Control;
use crate::app::serve::read_rules;
use crate::app::whole_file;

/// A changed password file counts from the next look on.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) fn gateway_config(
    config: &ServiceConfig,
    known: Arc<dyn Fn(&str) -> bool + Send + Sync>,
) -> Result<GatewayConfig, ServeError> {
    let own = config.gateway.clone().unwrap_or_default();
    let identity = match &own.passwords {
        Some(path) => Identity::Passwords(Arc::new(read_passwords(path)?)),
        None => Identity::Open,
    };
    let mut out = GatewayConfig::new(own.listen, config.root.clone(), identity, known);
    out.tls = own.tls.map(|t| TlsFiles { cert_chain: t.cert, key: t.key });
    out.max_connections = own.max_connections as usize;
    out.max_packet = own.max_packet_bytes as usize;
    out.connect_timeout = own.connect_timeout;
    Ok(out)
}

/// What is wrong with the key of crews' links. None: nothing, or it is not made yet.
pub(super) fn broken_links_key(config: &ServiceConfig) -> Option<String> {
    let is_there = config.data.join(LINKS_KEY).exists();
    is_there.then(|| links(config).err()).flatten().map(|e| e.to_string())
}

/// In the data folder.
pub const LINKS_KEY: &str = "links.key";

/// The key that crews' links are signed with: made at the first start, and kept in the data folder. Without it, older
/// mails' links open nothing any more.
pub(super) fn links(config: &ServiceConfig) -> Result<Links, ServeError> {
    let path = config.data.join(LINKS_KEY);
    let name = path.display().to_string();
    let remedy = "give the service's user the right to read and write it";
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0; Links::KEY_BYTES];
            getrandom::fill(&mut key).map_err(|e| ServeError(format!("the system gives no random numbers: {e}")))?;
            let text = hex::encode(key);
            fs::create_dir_all(&config.data)
                .and_then(|()| whole_file::write(&path, text.as_bytes()))
                .map_err(|e| ServeError(format!("{name}: {e}; {remedy}")))?;
            text
        }
        Err(e) => return Err(ServeError(format!("{name}: {e}; {remedy}"))),
    };
    let key = hex::decode(text.trim()).ok().and_then(|key| key.try_into().ok());
    let broken = "is not a key of 64 hexadecimal digits; remove it, and a new one is made (links in older mails end)";
    key.map(Links::new).ok_or_else(|| ServeError(format!("{name} {broken}")))
}

/// Err: the file cannot be read, or every line of it that is wrong.
pub fn read_passwords(path: &Path) -> Result<PasswordFile, ServeError> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| {
        ServeError(format!("{name}: {e}; make it with `buttonwatch fleet password UNIT --file {name}`"))
    })?;
    PasswordFile::check(&name, &text).map_err(|problems| ServeError(problems.join("\n")))
}

/// Takes in a changed password file while the service runs. A file with mistakes changes nothing.
pub(super) async fn follow_passwords(path: PathBuf, gateway: GatewayHandle) {
    // Looked at once in any case: it may have changed since it was read at the start.
    let mut seen = None;
    let mut is_first = true;
    loop {
        changed(&path, &mut seen).await;
        match read_passwords(&path) {
            Ok(passwords) => {
                if !is_first {
                    tracing::info!("{} units have passwords now", passwords.len());
                }
                gateway.set_passwords(passwords);
            }
            Err(e) => tracing::error!("the passwords stay as they were: {e}"),
        }
        is_first = false;
    }
}

/// Takes in changed rules while the service runs. A file with mistakes changes nothing. `in_force`: the text of the rules that
/// count now.
pub(super) async fn follow_rules(path: PathBuf, mut in_force: String, control: mpsc::Sender<Control>) {
    // Looked at once in any case: it may have changed since it was read at the start.
    let mut seen = None;
    loop {
        changed(&path, &mut seen).await;
        match read_rules(Some(&path)) {
            Ok((text, _)) if text == in_force => {}
            Ok((text, rules)) => {
                in_force.clone_from(&text);
                tracing::info!("{} was changed: {} rules count from now on", path.display(), rules.rules.len());
                if control.send(Control::Rules { text, rules }).await.is_err() {
                    return;
                }
            }
            Err(problems) => tracing::error!("the rules stay as they were:\n{problems}"),
        }
    }
}

/// Returns when the file is another than `seen`.
async fn changed(path: &Path, seen: &mut Stamp) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = stamp(path);
        if now != *seen {
            *seen = now;
            return;
        }
    }
}

/// When it was written and how long it is. None: it is not there.
type Stamp = Option<(Option<std::time::SystemTime>, u64)>;

fn stamp(path: &Path) -> Stamp {
    fs::metadata(path).ok().map(|m| (m.modified().ok(), m.len()))
}

/// The board's words: ours and those of `[http] translations`. Err: the folder cannot be read, or every mistake of its files.
pub fn words(folder: Option<&Path>) -> Result<Words, ServeError> {
    let Some(folder) = folder else { return Ok(Words::default()) };
    let unreadable = |what: &Path, e: std::io::Error| {
        ServeError(format!("{}: {e}; translations of [http] names a folder of files such as ps.ftl", what.display()))
    };
    let mut own = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
        let path = entry.map_err(|e| unreadable(folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Notes beside the files, and what an editor leaves behind.
        if path.extension().is_none_or(|ending| ending != "ftl") || name.starts_with('.') {
            continue;
        }
        own.push((name, fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?));
    }
    own.sort();
    let words = Words::check(&own).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(|p| format!("{}/{p}", folder.display())).collect();
        ServeError(told.join("\n"))
    })?;
    for (code, missing) in words.gaps() {
        tracing::info!("the board says {missing} things in English where {code} has no words for them");
    }
    Ok(words)
}

pub(super) fn external_config(config: &ServiceConfig, broker: &Broker) -> Result<ExternalConfig, ServeError> {
    let mut out = ExternalConfig::new(broker.host.clone(), broker.port);
    out.client_id.clone_from(&broker.client_id);
    out.root.clone_from(&config.root);
    out.keep_alive = broker.keep_alive;
    if let Some(login) = &broker.login {
        out.credentials = Some((login.username.clone(), read_password(login)?));
    }
    out.tls = broker.tls.clone().map(|t| ExternalTls {
        ca_file: t.ca,
        identity: t.identity.map(|i| ExternalIdentity { cert_file: i.cert, key_file: i.key }),
    });
    Ok(out)
}

/// The first line of the file.
pub(super) fn read_password(login: &Login) -> Result<String, ServeError> {
    read_secret(&login.password_file, &format!("the password of {}", login.username))
}

/// The first line of the file, which must be `what`.
pub fn read_secret(file: &Path, what: &str) -> Result<String, ServeError> {
    let name = file.display();
    let text =
        fs::read_to_string(file).map_err(|e| ServeError(format!("{name}: {e}; its first line must be {what}")))?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(ServeError(format!("{name} is empty; its first line must be {what}"))),
    }
}

/// Who may ask over HTTP: the token of the environment, and those whose files the settings name. Err: every file that says
/// none.
pub fn http_tokens(settings: &[HttpToken], of_environment: Option<String>) -> Result<Vec<Token>, ServeError> {
    let (mut tokens, mut problems) = (Vec::from_iter(of_environment.map(Token::admin)), Vec::new());
    for HttpToken { name, role, file } in settings {
        match read_secret(file, &format!("the token of {name}")) {
            Ok(secret) => tokens.push(Token { name: Some(name.clone()), role: *role, secret }),
            Err(e) => problems.push(e.to_string()),
        }
    }
    if problems.is_empty() { Ok(tokens) } else { Err(ServeError(problems.join("\n"))) }
}

pub(super) fn influx_config(settings: &InfluxSettings, data: &Path) -> Result<InfluxConfig, ServeError> {
    let token = match &settings.token_file {
        Some(path) => read_secret(path, "InfluxDB's token")?,
        None => String::new(),
    };
    let ca_pem = match &settings.ca {
        Some(path) => Some(fs::read(path).map_err(|e| {
            ServeError(format!("{}: {e}; ca of [influx] names the certificates to trust", path.display()))
        })?),
        None => None,
    };
    Ok(InfluxConfig {
        url: settings.url.clone(),
        org: settings.org.clone(),
        token,
        database: settings.bucket.clone(),
        ca_pem,
        timeout: settings.timeout,
        spool: data.join("influx"),
        spool_max_bytes: u64::from(settings.spool_max_mb) << 20,
        batch_points: 5000,
        batch_every: Duration::from_secs(5),
        retry_after: Duration::from_secs(1),
        retry_at_most: Duration::from_secs(60),
    })
}

pub(super) fn signing(config: &ServiceConfig) -> Result<Signing, ServeError> {
    let Some(path) = &config.signing.keys else { return Ok(Signing::Off) };
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|e| {
        ServeError(format!("{name}: {e}; signing.keys names a file with a line `unit:hexkey` per unit"))
    })?;
    let keys = parse_keys(&text).map_err(|problems| {
        ServeError(problems.iter().map(|p| format!("{name}:{p}")).collect::<Vec<_>>().join("\n"))
    })?;
    Ok(if config.signing.required { Signing::Required(keys) } else { Signing::Optional(keys) })
}
