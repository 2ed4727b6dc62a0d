//! `orders preview` and `orders templates`: mails to look at before anyone gets one. Never asks the service.

use std::path::Path;

use serde::Serialize;

use crate::app::preview::{PreviewArgs, preview, write_templates};
use crate::app::{clock, whole_file};
use crate::config::ServiceConfig;
use crate::io::smtp::to_message;
use crate::render::mail::Mail;

use super::arguments::{OrdersPreview, Output};
use super::exit::Failure;
use super::programs::read_settings;
use super::screen::Screen;

#[derive(Serialize)]
struct PreviewRow<'a> {
    to: String,
    subject: &'a str,
    text: &'a str,
    html: &'a str,
    attachments: Vec<&'a str>,
}

pub(super) fn show(args: OrdersPreview, screen: &Screen) -> Result<(), Failure> {
    let config = match &args.config {
        Some(path) => read_settings(path).map_err(Failure::failed)?,
        None => ServiceConfig::default(),
    };
    let wanted = PreviewArgs { order: args.order, kind: args.kind, templates: args.templates };
    let mail = preview(&config, &wanted, clock::now()).map_err(Failure::failed)?;
    let mut is_written = false;
    if let Some(path) = &args.html {
        if path.as_os_str() == "-" {
            return screen.print(&mail.html);
        }
        write(path, mail.html.as_bytes())?;
        is_written = true;
    }
    if let Some(path) = &args.eml {
        let message = to_message(&mail).map_err(|e| Failure::failed(e.to_string()))?;
        write(path, &message.formatted())?;
        is_written = true;
    }
    if is_written {
        return Ok(());
    }
    let row = PreviewRow {
        to: mail.to.iter().map(|to| to.address.as_str()).collect::<Vec<_>>().join(", "),
        subject: &mail.subject,
        text: &mail.text,
        html: &mail.html,
        attachments: mail.attachments.iter().map(|a| a.name.as_str()).collect(),
    };
    match screen.output {
        Output::Table => screen.print(&as_text(&mail, &row)),
        Output::Json => screen.json(&row),
        Output::Csv => Err(Failure::usage("a mail is no table; leave --output out, or write --output json".to_owned())),
    }
}

fn as_text(mail: &Mail, row: &PreviewRow<'_>) -> String {
    let files =
        if row.attachments.is_empty() { String::new() } else { format!("With:    {}\n", row.attachments.join(", ")) };
    format!("To:      {}\nSubject: {}\n{files}\n{}", row.to, row.subject, mail.text)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |e| Failure::failed(format!("{}: {e}; name a file that can be written", path.display()));
    whole_file::write(path, bytes).map_err(failed)?;
    eprintln!("written to {}", path.display());
    Ok(())
}

pub(super) fn templates(folder: &Path) -> Result<(), Failure> {
    for path in write_templates(folder).map_err(Failure::failed)? {
        eprintln!("written to {}", path.display());
    }
    eprintln!(
        "Change them there, look with `orders preview --templates {0}`, then name the folder in buttonwatch.toml:\n\
         [mail]\ntemplates = \"{0}\"",
        folder.display()
    );
    Ok(())
}
