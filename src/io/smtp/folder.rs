//! Mails as files: `<the Message-ID's left part>.eml`, whole or not there. The same mail again replaces itself.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lettre::Message;
use sha2::{Digest, Sha256};

use super::{Delivered, DeliveryError};

/// Room for `.eml` and the mark within the 255 bytes that file systems give a name.
const NAME_MAX: usize = 200;

pub(super) async fn write(folder: &Path, message: &Message) -> Result<Delivered, DeliveryError> {
    let id = message.headers().get_raw("Message-ID").unwrap_or_default();
    let target = folder.join(file_name(id));
    let bytes = message.formatted();
    let shown = target.clone();
    let result = tokio::task::spawn_blocking(move || write_whole(&target, &bytes)).await;
    let failed = |e: String| {
        DeliveryError::try_again(format!(
            "cannot write {}: {e}; free space there, or give the service the right to write",
            shown.display()
        ))
    };
    match result {
        Ok(Ok(())) => Ok(Delivered::default()),
        Ok(Err(e)) => Err(failed(e.to_string())),
        Err(e) => Err(failed(e.to_string())),
    }
}

/// Letters, digits, `.`, `_` and `-` stay. An id that holds anything else, or too much, keeps its difference as a hash.
fn file_name(message_id: &str) -> PathBuf {
    let local = message_id.trim().trim_start_matches('<');
    let local = local.rsplit_once('@').map_or(local, |(left, _)| left);
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut name: String = local.chars().map(|c| if safe(c) { c } else { '_' }).take(NAME_MAX).collect();
    if name.starts_with('.') || name.is_empty() {
        name.insert(0, '_');
    }
    if name != local {
        let digest = hex::encode(Sha256::digest(message_id.as_bytes()));
        name.push('-');
        name.push_str(&digest[..8]);
    }
    name.push_str(".eml");
    name.into()
}

fn write_whole(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = target.parent().expect("the file's path was made by joining its folder");
    std::fs::create_dir_all(folder)?;
    let mut part = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
    part.write_all(bytes)?;
    // As other files here: whoever may read the folder may read the mails.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        part.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    part.as_file().sync_all()?;
    part.persist(target).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_are_safe_and_different_ids_never_share_one() {
        assert_eq!(file_name("<wo-000042.1@example.org>").to_str(), Some("wo-000042.1.eml"));
        for id in [
            "<../../etc/passwd@x>",
            "<a/b@x>",
            "<.hidden@x>",
            "<@x>",
            "",
            "<a\\b:c@x>",
            &format!("<{}@x>", "a".repeat(240)),
        ] {
            let name = file_name(id);
            let text = name.to_str().expect("ASCII");
            assert!(text.len() < 255 && !text.starts_with('.') && !text.contains(['/', '\\', ':']), "{id}: {text}");
        }
        assert_ne!(file_name("<a/b@x>"), file_name("<a_b@x>"));
        assert_ne!(file_name("<a/b@x>"), file_name("<a:b@x>"));
    }
}
