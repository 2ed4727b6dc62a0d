//! buttonwatch.toml → settings of the service, or every problem at once. Every key is optional; the defaults run on a
//! laptop. What the keys are and how they relate is `check`'s.
//!
//! Paths are as written: relative ones start where the service was started. Secrets are in files that are named here,
//! never in this file and never in a message.

mod alertmanager;
mod check;
mod influx;
mod notices;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

pub use influx::{Influx, USUAL_BUCKET, USUAL_ORG, USUAL_URL};

use super::duration::{DAY, HOUR, MINUTE};
use super::problem::Problems;
use crate::domain::notice_plan::{NoticePlan, NoticePlans, TimeOfDay};
use crate::domain::report::ReportPeriod;
use crate::domain::severity::PriorityTargets;
use crate::domain::{CrewId, Recipient, Role, Settings};

pub use alertmanager::{Alertmanager, AlertmanagerAuth};

/// Err: every mistake of the file.
pub fn check_service(file: &str, text: &str) -> Result<ServiceConfig, Problems> {
    check::check(file, text)
}

#[derive(Debug, Clone, PartialEq)]
pub struct ServiceConfig {
    /// Holds the store, the spool and, by default, the mails.
    pub data: PathBuf,
    /// Imported at start. None: what the store holds from the last import.
    pub fleet: Option<PathBuf>,
    /// None: the rules that the program carries ([`super::default_rules`]).
    pub rules: Option<PathBuf>,
    /// First part of every topic: `buttonwatch/v1`.
    pub root: String,
    /// Dates and times in mails and tables, where a crew has no zone of its own.
    pub time_zone: Tz,
    /// Units connect to us. None: only through [`Self::external`].
    pub gateway: Option<Gateway>,
    /// We connect to another's broker.
    pub external: Option<External>,
    /// The observers' bus. None: off.
    pub bus: Option<SocketAddr>,
    pub http: Http,
    pub mail: Mail,
    /// Who hears what, when; a crew may have its own.
    pub notices: NoticePlan,
    /// By the crew's name in fleet.csv. A crew that is not here gets the defaults.
    pub crews: BTreeMap<CrewId, Crew>,
    pub signing: Signing,
    pub judgement: Judgement,
    pub report: Report,
    /// Where history goes besides the store. None: only into the store.
    pub influx: Option<Influx>,
    /// None: nothing is pushed.
    pub alertmanager: Option<Alertmanager>,
}

/// `[gateway]`: the listener for units.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    pub listen: SocketAddr,
    /// None: plain TCP.
    pub tls: Option<TlsServer>,
    /// None: open; then `listen` is a loopback address.
    pub passwords: Option<PathBuf>,
    pub max_connections: u32,
    /// Longest MQTT packet. A longer one ends its connection.
    pub max_packet_bytes: u32,
    /// From accept to a complete CONNECT.
    pub connect_timeout: Duration,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsServer {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// PEM files; without `ca` the web's roots are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsClient {
    pub ca: Option<PathBuf>,
    /// Certificate and key by which we show who we are.
    pub identity: Option<TlsServer>,
}

/// `[external]`: a broker that is not ours.
#[derive(Debug, Clone, PartialEq)]
pub struct External {
    pub host: String,
    pub port: u16,
    /// The broker keeps our session under this name while we are away.
    pub client_id: String,
    pub login: Option<Login>,
    /// None: plain TCP.
    pub tls: Option<TlsClient>,
    pub keep_alive: Duration,
}

/// The password is the first line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password_file: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    pub listen: SocketAddr,
    /// What links in mails start with. None: `http://` and `listen`.
    pub public_url: Option<String>,
    /// Beside the one of `BUTTONWATCH_TOKEN`, which is an admin's.
    pub tokens: Vec<HttpToken>,
    /// Holds the board's words in further languages, `ps.ftl`. None: English and Urdu.
    pub translations: Option<PathBuf>,
}

/// `[[http.token]]`: the token is the first line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpToken {
    pub name: String,
    pub role: Role,
    pub file: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// `address` or `Name <address>`.
    pub from: String,
    /// Hears of incidents and of the monitor's own troubles.
    pub operator: String,
    /// Hears of orders that nobody takes or that are overdue, where a crew names none. None: the operator.
    pub supervisor: Option<String>,
    /// Right side of every Message-ID, and of the addresses of crews that have none.
    pub domain: String,
    /// Holds templates that replace ours, each under our file's name. None: ours.
    pub templates: Option<PathBuf>,
    pub transport: MailTransport,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MailTransport {
    /// One `.eml` file a mail. None: `mail` in the data folder.
    Folder(Option<PathBuf>),
    Smtp(Smtp),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// PEM file of the authority to trust instead of the web's roots.
    pub ca: Option<PathBuf>,
    pub login: Option<Login>,
    pub pace: MailPace,
}

/// How fast mails go out, and when one that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailPace {
    /// Tries within any minute.
    pub per_minute: u32,
    /// After the first failed try; then twice as long each time,
    pub retry_after: Duration,
    /// up to this.
    pub retry_at_most: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Plain at first, TLS before anything that matters; refused where the server has none.
    StartTls,
    Implicit,
    None,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Crew {
    /// None of them: one made from the crew's name and the mail domain.
    pub mail: Vec<String>,
    pub phone: Option<String>,
    /// Answers for this crew. None: [`Mail::supervisor`].
    pub supervisor: Option<String>,
    pub time_zone: Option<Tz>,
    /// In its own zone.
    pub notices: NoticePlan,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signing {
    /// Unsigned messages are refused.
    pub required: bool,
    /// One line a unit: id, space, key in hex.
    pub keys: Option<PathBuf>,
}

/// `[report]`: which reports are mailed, and what the public may know.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// From the end of a period until its edition comes out.
    pub public_delay: Duration,
    /// No figure is about fewer buttons.
    pub public_smallest_group: usize,
    pub public_period: ReportPeriod,
    /// Which reports go out by mail.
    pub mailed: Vec<ReportPeriod>,
    /// On the morning after, by the service's clock.
    pub mailed_at: TimeOfDay,
    /// Who reads them. None of them: the supervisor of `[mail]`, else the operator.
    pub readers: Vec<String>,
}

/// Figures of the engine; the rules are in `alerts.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub hold: Duration,
    pub relapse_within: Duration,
    pub selftest_valid: Duration,
    pub heartbeat: Duration,
    pub targets: PriorityTargets,
}

/// RFC 2606: a domain that never delivers, until the operator names one.
const NO_DOMAIN: &str = "buttonwatch.invalid";

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for ServiceConfig {
    fn default() -> Self {
        ServiceConfig {
            data: PathBuf::from("buttonwatch-data"),
            fleet: None,
            rules: None,
            root: "buttonwatch/v1".to_owned(),
            time_zone: chrono_tz::Asia::Karachi,
            gateway: Some(Gateway::default()),
            external: None,
            bus: Some(loopback(1884)),
            http: Http { listen: loopback(8680), public_url: None, tokens: Vec::new(), translations: None },
            mail: Mail::default(),
            notices: NoticePlan::default(),
            crews: BTreeMap::new(),
            signing: Signing::default(),
            judgement: Judgement::default(),
            report: Report::default(),
            influx: None,
            alertmanager: None,
        }
    }
}

impl Default for Report {
    fn default() -> Self {
        Report {
            public_delay: DAY,
            // Of five, nobody can say which one it was.
            public_smallest_group: 5,
            // Weeks have too few repairs for a median of five buttons.
            public_period: ReportPeriod::Monthly,
            mailed: vec![ReportPeriod::Weekly, ReportPeriod::Monthly],
            mailed_at: TimeOfDay::new(7, 30).expect("a time"),
            readers: Vec::new(),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway {
            listen: loopback(1883),
            tls: None,
            passwords: None,
            // The fleet in ten years, and as many again that reconnect before their old connection has ended.
            max_connections: 20_000,
            // The longest payload of the protocol is 16 KiB; its topic and headers fit beside it.
            max_packet_bytes: 32 * 1024,
            // Ten round trips on the slowest 2G link.
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Mail {
            from: format!("buttonwatch@{NO_DOMAIN}"),
            operator: format!("operator@{NO_DOMAIN}"),
            supervisor: None,
            domain: NO_DOMAIN.to_owned(),
            templates: None,
            transport: MailTransport::Folder(None),
        }
    }
}

impl Default for MailPace {
    fn default() -> Self {
        // What the stricter of the usual relays take from one customer. A mail that failed comes back soon, for the order's
        // sake, and never more than an hour late once the server is well again.
        MailPace { per_minute: 60, retry_after: MINUTE, retry_at_most: HOUR }
    }
}

impl Default for Judgement {
    fn default() -> Self {
        let s = Settings::default();
        Judgement {
            hold: s.hold,
            relapse_within: s.relapse_within,
            selftest_valid: s.selftest_valid,
            heartbeat: s.heartbeat,
            targets: s.targets,
        }
    }
}

impl ServiceConfig {
    pub fn settings(&self) -> Settings {
        Settings {
            hold: self.judgement.hold,
            relapse_within: self.judgement.relapse_within,
            targets: self.judgement.targets.clone(),
            selftest_valid: self.judgement.selftest_valid,
            notices: NoticePlans {
                usual: self.notices.clone(),
                crews: self.crews.iter().map(|(id, crew)| (id.clone(), crew.notices.clone())).collect(),
            },
            mail_domain: self.mail.domain.clone(),
            heartbeat: self.judgement.heartbeat,
            readings: Vec::new(),
        }
    }

    /// Where a role's mail goes. Always an address, so that no mail is lost for want of a setting.
    pub fn mail_addresses(&self, to: &Recipient) -> Vec<String> {
        match to {
            Recipient::Operator => vec![self.mail.operator.clone()],
            Recipient::ReportReaders => match self.report.readers.as_slice() {
                [] => vec![self.mail.supervisor.clone().unwrap_or_else(|| self.mail.operator.clone())],
                readers => readers.to_vec(),
            },
            Recipient::Supervisor(crew) => {
                let own = self.crews.get(crew).and_then(|c| c.supervisor.clone());
                vec![own.or_else(|| self.mail.supervisor.clone()).unwrap_or_else(|| self.mail.operator.clone())]
            }
            Recipient::Crew(crew) => match self.crews.get(crew).map(|c| c.mail.as_slice()) {
                None | Some([]) => vec![format!("{}@{}", crew_slug(crew), self.mail.domain)],
                Some(own) => own.to_vec(),
            },
        }
    }

    /// Whose clock a role reads.
    pub fn time_zone_of(&self, to: &Recipient) -> Tz {
        match to {
            Recipient::Operator | Recipient::ReportReaders => self.time_zone,
            Recipient::Crew(crew) | Recipient::Supervisor(crew) => {
                self.crews.get(crew).and_then(|c| c.time_zone).unwrap_or(self.time_zone)
            }
        }
    }

    /// None: mail goes by SMTP.
    pub fn mail_folder(&self) -> Option<PathBuf> {
        match &self.mail.transport {
            MailTransport::Folder(Some(folder)) => Some(folder.clone()),
            MailTransport::Folder(None) => Some(self.data.join("mail")),
            MailTransport::Smtp(_) => None,
        }
    }

    /// What links start with, without a slash at the end.
    pub fn public_url(&self) -> String {
        let own = self.http.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        own.unwrap_or_else(|| format!("http://{}", self.http.listen))
    }
}

/// The crew's name as the left side of an address: `Ring Road` → `ring-road`. Letters of other scripts cannot stand
/// there; a name that has them gets a mark of its own, so that two crews never share an address by accident.
fn crew_slug(crew: &CrewId) -> String {
    /// An address's left side has 64 characters at most; the mark needs its part of them.
    const LONGEST: usize = 40;
    let name = crew.as_str().to_lowercase();
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let is_whole = name.is_ascii() && slug.len() <= LONGEST;
    slug.truncate(LONGEST);
    let slug = slug.trim_end_matches('-');
    if is_whole && !slug.is_empty() {
        return slug.to_owned();
    }
    let mark = hex::encode(&Sha256::digest(crew.as_str().as_bytes())[..4]);
    if slug.is_empty() { format!("crew-{mark}") } else { format!("{slug}-{mark}") }
}

/// The shortest hold and relapse that make sense are minutes; the longest, months.
const LONGEST_JUDGEMENT: Duration = Duration::from_secs(366 * 24 * HOUR.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(name: &str) -> Recipient {
        Recipient::Crew(CrewId::parse(name).expect("a name"))
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(check_service("buttonwatch.toml", ""), Ok(ServiceConfig::default()));
        assert_eq!(ServiceConfig::default().settings(), Settings::default());
        assert_eq!(ServiceConfig::default().mail_folder(), Some(PathBuf::from("buttonwatch-data/mail")));
        assert_eq!(ServiceConfig::default().public_url(), "http://127.0.0.1:8680");
    }

    #[test]
    fn every_crew_has_an_address_whatever_its_name() {
        let config = ServiceConfig::default();
        for (name, start) in [
            ("saddar", "saddar@"),
            ("Ring Road", "ring-road@"),
            ("a@b <c>", "a-b-c@"),
            ("---", "crew-"),
            ("پشاور", "crew-"),
        ] {
            let addresses = config.mail_addresses(&crew(name));
            let [address] = addresses.as_slice() else { panic!("one: {addresses:?}") };
            assert!(address.starts_with(start), "{address}");
            assert!(address.parse::<lettre::Address>().is_ok(), "{address}");
        }
        assert_ne!(config.mail_addresses(&crew("پشاور")), config.mail_addresses(&crew("مردان")));
        let long = config.mail_addresses(&crew(&"x".repeat(120)));
        assert!(long[0].parse::<lettre::Address>().is_ok(), "{long:?}");
    }

    #[test]
    fn a_crews_own_address_and_zone_come_first() {
        let text = "[crew.\"Ring Road\"]\nmail = \"ring@example.org\"\ntime_zone = \"Asia/Kabul\"\n";
        let config = check_service("buttonwatch.toml", text).expect("no problem");
        assert_eq!(config.mail_addresses(&crew("Ring Road")), ["ring@example.org"]);
        assert_eq!(config.time_zone_of(&crew("Ring Road")), chrono_tz::Asia::Kabul);
        assert_eq!(config.time_zone_of(&crew("saddar")), chrono_tz::Asia::Karachi);
    }

    #[test]
    fn a_crew_may_have_several_addresses() {
        let text = "[crew.saddar]\nmail = [\"gul@example.org\", \"imran@example.org\"]\n";
        let config = check_service("buttonwatch.toml", text).expect("no problem");
        assert_eq!(config.mail_addresses(&crew("saddar")), ["gul@example.org", "imran@example.org"]);
    }
}
