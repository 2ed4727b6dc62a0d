//! `init`: a few questions, each with what Enter takes, then the first files of a service. Owns the questions; what the files
//! say is `app::init`'s, and what may be answered is the checker's of the settings. Questions go to standard error.

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::app::daemon::read_secret;
use crate::app::init::{
    Answers, BrokerAnswer, FLEET_FILE, InfluxAnswer, NewFile, SETTINGS_FILE, Secret, SmtpAnswer, WEB_TOKEN_FILE,
    WebAnswer, WebToken, files, settings, write_all,
};
use crate::config::check_service;
use crate::config::service::{SmtpTls, TlsServer, USUAL_ORG};
use crate::io::gateway::{TlsFiles, check_tls};
use crate::render::table;

use super::arguments::{Output, parse_address, parse_zone};
use super::exit::Failure;
use super::screen::Screen;

/// What is said here is not asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Init {
    /// Write the files into this folder [default: the folder where you are]
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// The service keeps its store in this folder [default: buttonwatch-data, beside the settings]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Ask nothing: take the default of what is not said
    #[arg(long, short)]
    pub yes: bool,
    /// The city, or what the fleet is called
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// Of dates and times in mails and reports
    #[arg(long, value_name = "ZONE", value_parser = parse_zone)]
    pub time_zone: Option<Tz>,
    /// Where units connect [default: 127.0.0.1:1883]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub listen: Option<SocketAddr>,
    /// The certificate for units, with its chain
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Units log in with passwords; always so where others can reach the address
    #[arg(long)]
    pub passwords: bool,
    /// The broker that your units talk to already; without one, they connect here
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with_all = ["listen", "tls_cert", "passwords"])]
    pub broker: Option<String>,
    /// The line to the broker is encrypted; always so at port 8883
    #[arg(long, requires = "broker")]
    pub broker_tls: bool,
    /// The user name at the broker
    #[arg(long, value_name = "NAME", requires = "broker")]
    pub broker_user: Option<String>,
    /// A file whose first line is the password at the broker
    #[arg(long, value_name = "FILE", requires = "broker_user")]
    pub broker_password_file: Option<PathBuf>,
    /// The operator's mail address
    #[arg(long, value_name = "ADDRESS")]
    pub operator: Option<String>,
    /// The mail server; without one, mails are .eml files
    #[arg(long, value_name = "HOST[:PORT]", requires = "operator")]
    pub smtp: Option<String>,
    /// How the line to the mail server is encrypted [default: starttls]
    #[arg(long, value_name = "HOW", requires = "smtp")]
    pub smtp_tls: Option<SmtpTlsArg>,
    /// The user name at the mail server
    #[arg(long, value_name = "NAME", requires = "smtp")]
    pub smtp_user: Option<String>,
    /// A file whose first line is the password at the mail server
    #[arg(long, value_name = "FILE", requires = "smtp_user")]
    pub smtp_password_file: Option<PathBuf>,
    /// The sender's address [default: buttonwatch at the operator's domain]
    #[arg(long, value_name = "ADDRESS", requires = "smtp")]
    pub from: Option<String>,
    /// InfluxDB, for history in Grafana
    #[arg(long, value_name = "URL")]
    pub influx: Option<String>,
    /// The organization there [default: buttonwatch]
    #[arg(long, value_name = "NAME", requires = "influx")]
    pub influx_org: Option<String>,
    /// A file whose first line is InfluxDB's token
    #[arg(long, value_name = "FILE", requires = "influx")]
    pub influx_token_file: Option<PathBuf>,
    /// Where the web page is [default: 127.0.0.1:8680, for this machine only]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub http: Option<SocketAddr>,
    /// What people's browsers open, through a proxy
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Put an example button into fleet.csv
    #[arg(long)]
    pub example: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SmtpTlsArg {
    Starttls,
    Implicit,
    None,
}

impl From<SmtpTlsArg> for SmtpTls {
    fn from(arg: SmtpTlsArg) -> SmtpTls {
        match arg {
            SmtpTlsArg::Starttls => SmtpTls::StartTls,
            SmtpTlsArg::Implicit => SmtpTls::Implicit,
            SmtpTlsArg::None => SmtpTls::None,
        }
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    /// It stands in every mail's From line.
    const LONGEST: usize = 60;
    let name = text.trim();
    if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {LONGEST} letters, and no line ends"));
    }
    Ok(name.to_owned())
}

pub(super) fn init(args: Init, screen: &Screen) -> Result<(), Failure> {
    if screen.output == Output::Csv {
        return Err(Failure::usage("init has no CSV to give: say --output json, or nothing"));
    }
    let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !args.yes && !can_ask {
        return Err(Failure::usage(
            "init asks a few questions, and there is no terminal to answer on: say --yes to take the defaults; \
             `buttonwatch init --help` shows what else can be said",
        ));
    }
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let place = match &args.dir {
        None => PathBuf::new(),
        Some(dir) => std::path::absolute(dir).map_err(|e| Failure::failed(format!("{}: {e}", dir.display())))?,
    };
    let mut answers = said(&args, &place)?;
    if !args.yes {
        let (mut input, mut output) = (io::stdin().lock(), io::stderr().lock());
        let mut talk = Talk { input: &mut input, output: &mut output, hide: Hidden::begin, place: &place };
        talk.ask_what_is_left(&args, &mut answers)?;
    }
    if let Some(why) = fault(&answers, &place) {
        return Err(Failure::usage(why));
    }
    let files = files(&answers, &place);
    write_all(&folder, &files).map_err(Failure::failed)?;
    tell(screen, &answers, &folder, &args, &files)
}

/// The answers that the flags give; the rest is the defaults.
fn said(args: &Init, place: &Path) -> Result<Answers, Failure> {
    let usual = Answers::default();
    // In another folder only a whole path leads to what is named from here.
    let path = |path: &PathBuf| match place.as_os_str().is_empty() {
        true => path.clone(),
        false => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
    };
    let tls = args.tls_cert.as_ref().zip(args.tls_key.as_ref());
    let tls = tls.map(|(cert, key)| TlsServer { cert: path(cert), key: path(key) });
    tls.as_ref().map_or(Ok(()), usable).map_err(Failure::failed)?;
    let listen = args.listen.unwrap_or(usual.listen);
    let broker = match &args.broker {
        None => None,
        Some(server) => {
            let (host, port, tls) = broker_at(server, args.broker_tls).map_err(Failure::usage)?;
            if args.yes && args.broker_user.is_some() && args.broker_password_file.is_none() {
                return Err(Failure::usage(
                    "--broker-user needs --broker-password-file: the file that holds the password",
                ));
            }
            let secret = secret_in(args.broker_password_file.as_ref().map(path), "the password at the broker")?;
            Some(BrokerAnswer { host, port, tls, username: args.broker_user.clone(), secret })
        }
    };
    let smtp = match &args.smtp {
        None => None,
        Some(server) => {
            let tls = args.smtp_tls.map_or(SmtpTls::StartTls, SmtpTls::from);
            let (host, port) = mail_server_at(server, tls).map_err(Failure::usage)?;
            if args.yes && args.smtp_user.is_some() && args.smtp_password_file.is_none() {
                return Err(Failure::usage("--smtp-user needs --smtp-password-file: the file that holds the password"));
            }
            let operator = args.operator.as_deref().unwrap_or_default();
            Some(SmtpAnswer {
                host,
                port,
                tls,
                username: args.smtp_user.clone(),
                secret: secret_in(args.smtp_password_file.as_ref().map(path), "the password at the mail server")?,
                from: args.from.clone().unwrap_or_else(|| usual_from(operator)),
            })
        }
    };
    let influx = match &args.influx {
        None => None,
        Some(url) => Some(InfluxAnswer {
            url: url.clone(),
            org: args.influx_org.clone().unwrap_or_else(|| USUAL_ORG.to_owned()),
            secret: secret_in(args.influx_token_file.as_ref().map(path), "InfluxDB's token")?,
        }),
    };
    let http = args.http.unwrap_or(usual.web.listen());
    let web = match &args.public_url {
        Some(url) => WebAnswer::Proxy { listen: http, public_url: url.clone() },
        None if http.ip().is_loopback() => WebAnswer::Here(http),
        None => WebAnswer::Network { listen: http, token: new_token()? },
    };
    Ok(Answers {
        name: args.name.clone().unwrap_or(usual.name),
        time_zone: args.time_zone.unwrap_or(usual.time_zone),
        data: args.data.as_ref().map(path),
        listen,
        tls,
        passwords: args.passwords || !listen.ip().is_loopback(),
        broker,
        operator: args.operator.clone(),
        smtp,
        influx,
        web,
        example: args.example,
    })
}

fn secret_in(file: Option<PathBuf>, what: &str) -> Result<Secret, Failure> {
    let Some(file) = file else { return Ok(Secret::None) };
    read_secret(&file, what).map_err(|e| Failure::failed(e.to_string()))?;
    Ok(Secret::InFile(file))
}

/// As long as `openssl rand -hex 16` makes it.
fn new_token() -> Result<WebToken, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Failure::failed(format!("this machine gives no random numbers: {e}")))?;
    Ok(WebToken(hex::encode(bytes)))
}

fn usable(tls: &TlsServer) -> Result<(), String> {
    check_tls(&TlsFiles { cert_chain: tls.cert.clone(), key: tls.key.clone() }).map_err(|e| e.to_string())
}

fn mail_server_at(text: &str, tls: SmtpTls) -> Result<(String, u16), String> {
    let usual = match tls {
        SmtpTls::StartTls => 587,
        SmtpTls::Implicit => 465,
        SmtpTls::None => 25,
    };
    host_and_port(text, usual, "mail.example.org:587")
}

/// With TLS or without.
fn broker_at(text: &str, tls: bool) -> Result<(String, u16, bool), String> {
    let (host, port) = host_and_port(text, if tls { 8883 } else { 1883 }, "mqtt.example.org:8883")?;
    Ok((host, port, tls || port == 8883))
}

/// `mail.example.org`, `mail.example.org:587`.
fn host_and_port(text: &str, usual: u16, example: &str) -> Result<(String, u16), String> {
    match text.trim().rsplit_once(':') {
        None => Ok((text.trim().to_owned(), usual)),
        Some((host, port)) => match port.parse() {
            Ok(port) if port > 0 => Ok((host.to_owned(), port)),
            Ok(_) | Err(_) => Err(format!("{port:?} is not a port: write it as {example}")),
        },
    }
}

fn usual_from(operator: &str) -> String {
    operator.rsplit_once('@').map_or_else(String::new, |(_, domain)| format!("buttonwatch@{domain}"))
}

/// Why a service would not take these answers. None: it takes them.
fn fault(answers: &Answers, place: &Path) -> Option<String> {
    let problems = check_service(SETTINGS_FILE, &settings(answers, place)).err()?;
    // Where it would stand in a file that is not written yet helps nobody.
    let mut reasons: Vec<String> = problems.list().iter().map(|p| without_section(&p.what).to_owned()).collect();
    reasons.dedup();
    Some(reasons.join("\n"))
}

/// `[mail] operator cannot be …` → `operator cannot be …`.
fn without_section(what: &str) -> &str {
    let rest = what.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    rest.map_or(what, |(_, rest)| rest)
}

struct Talk<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
    hide: fn() -> Option<Hidden>,
    place: &'a Path,
}

impl Talk<'_> {
    fn ask_what_is_left(&mut self, args: &Init, answers: &mut Answers) -> Result<(), Failure> {
        self.say("A few questions. Enter takes what stands in [ ]. Ctrl-D ends; nothing is written.\n")?;
        if args.name.is_none() {
            answers.name = self.ask("City, or name of the fleet", &answers.name.clone(), parse_name)?;
        }
        if args.time_zone.is_none() {
            answers.time_zone = self.ask("Time zone", answers.time_zone.name(), |t| {
                // The checker knows the nearest one.
                t.parse::<Tz>().map_err(|_| {
                    let text = format!("time_zone = {}", toml::Value::from(t));
                    check_service(SETTINGS_FILE, &text)
                        .err()
                        .and_then(|p| p.list().first().map(|p| p.what.clone()))
                        .unwrap_or_default()
                })
            })?;
        }
        self.ask_units(args, answers)?;
        self.ask_mail(args, answers)?;
        self.ask_influx(args, answers)?;
        self.ask_web(args, answers)?;
        if !args.example {
            answers.example = self.ask_yes("Put an example button into fleet.csv?", false)?;
        }
        Ok(())
    }

    fn ask_units(&mut self, args: &Init, answers: &mut Answers) -> Result<(), Failure> {
        if args.broker.is_some() {
            return self.ask_broker(args, answers);
        }
        if args.listen.is_none() {
            self.say(
                "\nWhere do units connect?\n  1  on this machine only, to try it out\n  2  over the network, with TLS (you have a \
                 certificate)\n  3  over the network, without TLS\n  4  to a broker that you have, such as Mosquitto\n",
            )?;
            let usual = if args.tls_cert.is_some() { "2" } else { "1" };
            let way = self.ask("1, 2, 3 or 4", usual, one_of(&["1", "2", "3", "4"]))?;
            if way == "4" {
                return self.ask_broker(args, answers);
            }
            let (ip, port) = match way.as_str() {
                "1" => (Ipv4Addr::LOCALHOST, "1883"),
                "2" => (Ipv4Addr::UNSPECIFIED, "8883"),
                _ => (Ipv4Addr::UNSPECIFIED, "1883"),
            };
            self.ask_checked("Port", port, answers, |text, answers| {
                answers.listen = SocketAddr::from((ip, parse_port(text)?));
                answers.passwords |= !ip.is_loopback();
                Ok(())
            })?;
            if way == "2" && args.tls_cert.is_none() {
                let cert = self.ask("Certificate file, with its chain (PEM)", "server.pem", |t| {
                    let path = typed_path(t);
                    std::fs::metadata(&path).map(|_| path).map_err(|e| format!("{t}: {e}"))
                })?;
                let key = self.ask("File of its key (PEM)", "server-key.pem", |t| {
                    let tls = TlsServer { cert: cert.clone(), key: typed_path(t) };
                    usable(&tls).map(|()| tls.key)
                })?;
                let whole = |path: PathBuf| match self.place.as_os_str().is_empty() {
                    true => path,
                    false => std::path::absolute(&path).unwrap_or(path),
                };
                answers.tls = Some(TlsServer { cert: whole(cert), key: whole(key) });
            }
        }
        if answers.listen.ip().is_loopback() {
            if !args.passwords {
                answers.passwords = self.ask_yes("Must units log in with a password?", false)?;
            }
        } else if !args.passwords {
            self.say("Others can reach that address, so each unit logs in with a password of its own.\n")?;
        }
        Ok(())
    }

    fn ask_broker(&mut self, args: &Init, answers: &mut Answers) -> Result<(), Failure> {
        (answers.passwords, answers.tls) = (false, None);
        if args.broker.is_none() {
            self.ask_checked("Your broker, such as mqtt.example.org:8883", "", answers, |text, answers| {
                let (host, port, tls) = broker_at(text, false)?;
                answers.broker = Some(BrokerAnswer { host, port, tls, username: None, secret: Secret::None });
                Ok(())
            })?;
            let usual = answers.broker.as_ref().is_some_and(|b| b.tls);
            let tls = self.ask_yes("Is the line to it encrypted (TLS)?", usual)?;
            answers.broker.as_mut().expect("it was named").tls = tls;
        }
        let change = |answers: &mut Answers, change: &mut dyn FnMut(&mut BrokerAnswer)| {
            change(answers.broker.as_mut().expect("it was named"));
        };
        if args.broker_user.is_none() {
            self.ask_checked("Your user name there (Enter: none)", "", answers, |text, answers| {
                change(answers, &mut |broker| {
                    broker.username = (!text.is_empty()).then(|| text.to_owned());
                    // Its place in the settings; the password is asked next.
                    broker.secret = broker.username.as_ref().map_or(Secret::None, |_| Secret::Typed(String::new()));
                });
                Ok(())
            })?;
        }
        let has_user = answers.broker.as_ref().is_some_and(|b| b.username.is_some());
        if has_user && args.broker_password_file.is_none() {
            let password = self.ask_hidden("Password (not shown)", false)?;
            change(answers, &mut |broker| broker.secret = Secret::Typed(password.clone()));
        }
        Ok(())
    }

    fn ask_mail(&mut self, args: &Init, answers: &mut Answers) -> Result<(), Failure> {
        if args.operator.is_none() {
            self.say("\nWho hears of incidents and of the monitor's own troubles?\n")?;
            self.ask_checked("Operator's mail address (Enter: none yet)", "", answers, |text, answers| {
                answers.operator = (!text.is_empty()).then(|| text.to_owned());
                Ok(())
            })?;
        }
        let Some(operator) = answers.operator.clone() else { return Ok(()) };
        if args.smtp.is_none() {
            let question = "Mail server, such as mail.example.org:587 (Enter: none)";
            self.ask_checked(question, "", answers, |text, answers| {
                answers.smtp = None;
                if !text.is_empty() {
                    let (host, port) = mail_server_at(text, SmtpTls::StartTls)?;
                    let from = usual_from(&operator);
                    let (tls, username, secret) = (SmtpTls::StartTls, None, Secret::None);
                    answers.smtp = Some(SmtpAnswer { host, port, tls, username, secret, from });
                }
                Ok(())
            })?;
        }
        if answers.smtp.is_none() {
            return Ok(());
        }
        let change = |answers: &mut Answers, change: &mut dyn FnMut(&mut SmtpAnswer)| {
            change(answers.smtp.as_mut().expect("a mail server was named"));
        };
        if args.smtp_tls.is_none() {
            let port = answers.smtp.as_ref().map(|s| s.port);
            let usual = if port == Some(465) { "implicit" } else { "starttls" };
            let how = self.ask(
                "Its encryption: starttls, implicit or none",
                usual,
                one_of(&["starttls", "implicit", "none"]),
            )?;
            let tls = match how.as_str() {
                "implicit" => SmtpTls::Implicit,
                "none" => SmtpTls::None,
                _ => SmtpTls::StartTls,
            };
            change(answers, &mut |smtp| smtp.tls = tls);
        }
        if args.smtp_user.is_none() {
            self.ask_checked("Your user name there (Enter: none)", "", answers, |text, answers| {
                change(answers, &mut |smtp| {
                    smtp.username = (!text.is_empty()).then(|| text.to_owned());
                    // Its place in the settings; the password is asked next.
                    smtp.secret = smtp.username.as_ref().map_or(Secret::None, |_| Secret::Typed(String::new()));
                });
                Ok(())
            })?;
        }
        let has_user = answers.smtp.as_ref().is_some_and(|s| s.username.is_some());
        if has_user && args.smtp_password_file.is_none() {
            let password = self.ask_hidden("Password (not shown)", false)?;
            change(answers, &mut |smtp| smtp.secret = Secret::Typed(password.clone()));
        }
        if args.from.is_none() {
            let usual = usual_from(&operator);
            self.ask_checked("Sender's address", &usual, answers, |text, answers| {
                change(answers, &mut |smtp| smtp.from = text.to_owned());
                Ok(())
            })?;
        }
        Ok(())
    }

    fn ask_influx(&mut self, args: &Init, answers: &mut Answers) -> Result<(), Failure> {
        if args.influx.is_none() {
            let question = "\nInfluxDB for history, such as http://127.0.0.1:8086 (Enter: none)";
            self.ask_checked(question, "", answers, |text, answers| {
                let (url, org) = (text.to_owned(), USUAL_ORG.to_owned());
                answers.influx = (!text.is_empty()).then_some(InfluxAnswer { url, org, secret: Secret::None });
                Ok(())
            })?;
        }
        if answers.influx.is_none() {
            return Ok(());
        }
        if args.influx_org.is_none() {
            self.ask_checked("Its organization", USUAL_ORG, answers, |text, answers| {
                answers.influx.as_mut().expect("InfluxDB was named").org = text.to_owned();
                Ok(())
            })?;
        }
        if args.influx_token_file.is_none() {
            let token = self.ask_hidden("Its token (not shown; Enter: it wants none)", true)?;
            let secret = if token.is_empty() { Secret::None } else { Secret::Typed(token) };
            answers.influx.as_mut().expect("InfluxDB was named").secret = secret;
            if let Some(why) = fault(answers, self.place) {
                return Err(Failure::usage(why));
            }
        }
        Ok(())
    }

    fn ask_web(&mut self, args: &Init, answers: &mut Answers) -> Result<(), Failure> {
        if args.http.is_some() || args.public_url.is_some() {
            return Ok(());
        }
        self.say(
            "\nWho may open the web page?\n  1  this machine only\n  2  people outside, through a proxy with a login that you \
             set up\n  3  whoever is in your network and has the token\n",
        )?;
        let way = self.ask("1, 2 or 3", "1", one_of(&["1", "2", "3"]))?;
        let ip = if way == "3" { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let token = new_token()?;
        self.ask_checked("Port", "8680", answers, |text, answers| {
            let listen = SocketAddr::from((ip, parse_port(text)?));
            answers.web = match way == "3" {
                true => WebAnswer::Network { listen, token: token.clone() },
                false => WebAnswer::Here(listen),
            };
            Ok(())
        })?;
        if way == "2" {
            let listen = answers.web.listen();
            self.ask_checked("What browsers open (https://buttons.example.org)", "", answers, |text, answers| {
                answers.web = WebAnswer::Proxy { listen, public_url: text.to_owned() };
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Asks until `take` does.
    fn ask<T>(
        &mut self,
        question: &str,
        usual: &str,
        mut take: impl FnMut(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        loop {
            let prompt = if usual.is_empty() { format!("{question}: ") } else { format!("{question} [{usual}]: ") };
            self.say(&prompt)?;
            let line = self.line()?;
            let answer = if line.trim().is_empty() { usual } else { line.trim() };
            match take(answer) {
                Ok(taken) => return Ok(taken),
                Err(why) => self.say(&indented(&why))?,
            }
        }
    }

    /// Asks until the service would take the answers with this one among them.
    fn ask_checked(
        &mut self,
        question: &str,
        usual: &str,
        answers: &mut Answers,
        mut put: impl FnMut(&str, &mut Answers) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let place = self.place;
        *answers = self.ask(question, usual, |text| {
            let mut changed = answers.clone();
            put(text, &mut changed)?;
            match fault(&changed, place) {
                None => Ok(changed),
                Some(why) => Err(why),
            }
        })?;
        Ok(())
    }

    fn ask_yes(&mut self, question: &str, usual: bool) -> Result<bool, Failure> {
        let shown = if usual { "yes" } else { "no" };
        self.ask(question, shown, |text| match text.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("write yes or no".to_owned()),
        })
    }

    fn ask_hidden(&mut self, question: &str, may_be_empty: bool) -> Result<String, Failure> {
        loop {
            self.say(&format!("{question}: "))?;
            let hidden = (self.hide)();
            let line = self.line();
            if hidden.is_some() {
                // The Enter that ended it was not shown either.
                self.say("\n")?;
            }
            drop(hidden);
            let secret = line?.trim().to_owned();
            if may_be_empty || !secret.is_empty() {
                return Ok(secret);
            }
            self.say(&indented("it cannot be empty"))?;
        }
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        let said = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        said.map_err(|e| Failure::failed(format!("the questions cannot be shown: {e}; nothing was written")))
    }

    /// Err: there are no more.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.input.read_line(&mut line) {
            Ok(0) => {
                self.say("\n")?;
                Err(Failure::failed("ended before the last question: nothing was written"))
            }
            Ok(_) => Ok(line),
            Err(e) => Err(Failure::failed(format!("the answer cannot be read: {e}; nothing was written"))),
        }
    }
}

fn typed_path(text: &str) -> PathBuf {
    PathBuf::from(text)
}

fn one_of(words: &'static [&'static str]) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        let word = text.to_ascii_lowercase();
        match words.contains(&word.as_str()) {
            true => Ok(word),
            false => Err(format!("write one of {}", words.join(", "))),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(format!("{text:?} is not a port: write a number from 1 to 65535")),
    }
}

fn indented(why: &str) -> String {
    why.lines().map(|l| format!("  {l}\n")).collect()
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    /// None: it is no terminal.
    fn begin() -> Option<Hidden> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok()?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &now).ok()?;
        Some(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that went away shows nothing anyway.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, &self.0);
    }
}

/// For programs.
#[derive(Debug, Serialize)]
struct Made {
    files: Vec<String>,
    next: Vec<String>,
}

fn tell(screen: &Screen, answers: &Answers, folder: &Path, args: &Init, files: &[NewFile]) -> Result<(), Failure> {
    let path = |name: &str| match &args.dir {
        None => name.to_owned(),
        Some(_) => folder.join(name).display().to_string(),
    };
    let typed = |name: &str| shell_word(&path(name));
    let config = typed(SETTINGS_FILE);
    let server = match answers.web.listen() {
        usual if usual == Answers::default().web.listen() => String::new(),
        other => {
            let ip = if other.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { other.ip() };
            format!(" --server http://{}", SocketAddr::new(ip, other.port()))
        }
    };
    let mut next = vec![
        format!("buttonwatch doctor --config {config}{server}"),
        format!("buttonwatch serve --config {config}"),
        match answers.example {
            true => format!("buttonwatch fleet list{server}"),
            false => format!("buttonwatch fleet import {}{server}", typed(FLEET_FILE)),
        },
    ];
    if matches!(answers.web, WebAnswer::Network { .. }) {
        // In each of the two terminals.
        next[0] = format!("export BUTTONWATCH_TOKEN=$(cat {}); {}", typed(WEB_TOKEN_FILE), next[0]);
        next[2] = format!("export BUTTONWATCH_TOKEN=$(cat {}); {}", typed(WEB_TOKEN_FILE), next[2]);
    }
    let made = Made { files: files.iter().map(|f| path(f.name)).collect(), next };
    if screen.output == Output::Json {
        return screen.json(&made);
    }
    let look = screen.look(Default::default());
    let folded = |words: &str| table::wrapped("", words, &look).join("\n");
    let mut text = format!("\n{}\n", folded(&format!("Written: {}.", made.files.join(", "))));
    text.push_str(&folded(match answers.example {
        true => "Next, type these; the last one in a second terminal:",
        false => "Write your buttons into fleet.csv, one row each. Then type these; the last one in a second terminal:",
    }));
    text.push_str("\n\n");
    for command in &made.next {
        text.push_str(&format!("  {command}\n"));
    }
    if answers.passwords {
        text.push_str(&format!(
            "\nEach unit needs a password, shown once:\n\n  buttonwatch fleet password PSH-001 --config {config}\n"
        ));
    }
    screen.print(&text)
}

/// As it must be typed.
fn shell_word(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+@".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests;
