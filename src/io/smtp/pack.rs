//! A rendered mail → the bytes that go out. The same mail gives the same bytes, boundary included.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox as Address, MessageBuilder, MultiPart, SinglePart};
use lettre::{Message, address::AddressError};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::domain::Timestamp;
use crate::render::mail::{Mail, Mailbox};

/// A mail that can never go out as it is: the settings must change first.
#[derive(Debug, Error)]
pub enum PackError {
    #[error("{address:?} is not a mail address: {source}; correct it in the settings")]
    BadAddress { address: String, source: AddressError },
    #[error("nobody is named to get this mail; give its crew an address in the settings")]
    NoRecipient,
    #[error("the mail cannot be packed: {0}")]
    Lettre(#[from] lettre::error::Error),
}

pub fn to_message(mail: &Mail) -> Result<Message, PackError> {
    if mail.to.is_empty() {
        return Err(PackError::NoRecipient);
    }
    let mut builder = Message::builder()
        .message_id(Some(mail.message_id.to_string()))
        .date(system_time(mail.date))
        .from(address(&mail.from)?)
        .subject(mail.subject.clone());
    for to in &mail.to {
        builder = builder.to(address(to)?);
    }
    if let Some(first) = &mail.in_reply_to {
        builder = builder.in_reply_to(first.to_string());
    }
    if !mail.references.is_empty() {
        let all: Vec<&str> = mail.references.iter().map(|id| id.as_str()).collect();
        builder = builder.references(all.join(" "));
    }
    for (name, value) in &mail.headers {
        builder = plain_header(builder, name, value);
    }
    let part = |kind: ContentType, text: &str| SinglePart::builder().header(kind).body(text.to_owned());
    let body = MultiPart::alternative().boundary(boundary(mail)).singlepart(part(ContentType::TEXT_PLAIN, &mail.text));
    let html = part(ContentType::TEXT_HTML, &mail.html);
    let body = if mail.images.is_empty() {
        body.singlepart(html)
    } else {
        let mut related = MultiPart::related().boundary(format!("{}i", boundary(mail))).singlepart(html);
        for image in &mail.images {
            let kind = ContentType::parse("image/png").unwrap_or(ContentType::TEXT_PLAIN);
            related = related.singlepart(Attachment::new_inline(image.cid.clone()).body(image.png.clone(), kind));
        }
        body.multipart(related)
    };
    if mail.attachments.is_empty() {
        return Ok(builder.multipart(body)?);
    }
    let mut whole = MultiPart::mixed().boundary(format!("{}m", boundary(mail))).multipart(body);
    for file in &mail.attachments {
        let kind = ContentType::parse(file.content_type).unwrap_or(ContentType::TEXT_PLAIN);
        whole = whole.singlepart(Attachment::new(file.name.clone()).body(file.bytes.clone(), kind));
    }
    Ok(builder.multipart(whole)?)
}

/// Hash of what it separates: it cannot stand in there by anyone's intent.
fn boundary(mail: &Mail) -> String {
    let mut hash = Sha256::new();
    for text in [mail.message_id.as_str(), &mail.text, &mail.html] {
        hash.update(text.as_bytes());
    }
    let digest = hex::encode(hash.finalize());
    format!("=_{}", &digest[..40])
}

fn address(mailbox: &Mailbox) -> Result<Address, PackError> {
    let email =
        mailbox.address.parse().map_err(|source| PackError::BadAddress { address: mailbox.address.clone(), source })?;
    Ok(Address::new(mailbox.name.clone(), email))
}

fn system_time(at: Timestamp) -> SystemTime {
    // Date has no room for before 1970; such a clock has other troubles.
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0))
}

fn plain_header(builder: MessageBuilder, name: &str, value: &str) -> MessageBuilder {
    match HeaderName::new_from_ascii(name.to_owned()) {
        Ok(name) => builder.raw_header(HeaderValue::new(name, value.to_owned())),
        Err(_) => {
            debug_assert!(false, "{name} is not a header's name");
            builder
        }
    }
}
