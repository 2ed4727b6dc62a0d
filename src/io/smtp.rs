//! Mails out: SMTP, or .eml files in a folder.
