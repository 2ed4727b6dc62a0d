//! The listener's certificate and key, from PEM files. Errors name the file and what to do.
//! Never speaks TLS itself: tokio-rustls does, on rustls with ring.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::GatewayError;

/// PEM files, as Let's Encrypt or `openssl` writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate first, then what leads to a root that the units know.
    pub cert_chain: PathBuf,
    pub key: PathBuf,
}

pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, GatewayError> {
    let chain: Vec<CertificateDer<'static>> = rustls_pemfile::certs(&mut read(&files.cert_chain)?.as_slice())
        .collect::<Result<_, _>>()
        .map_err(|source| GatewayError::TlsFile { file: files.cert_chain.clone(), source })?;
    if chain.is_empty() {
        return Err(GatewayError::NoCertificate { file: files.cert_chain.clone() });
    }
    let key: PrivateKeyDer<'static> = rustls_pemfile::private_key(&mut read(&files.key)?.as_slice())
        .map_err(|source| GatewayError::TlsFile { file: files.key.clone(), source })?
        .ok_or_else(|| GatewayError::NoKey { file: files.key.clone() })?;
    let unusable =
        |source| GatewayError::TlsUnusable { cert_chain: files.cert_chain.clone(), key: files.key.clone(), source };
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(file: &Path) -> Result<Vec<u8>, GatewayError> {
    std::fs::read(file).map_err(|source| GatewayError::TlsFile { file: file.to_owned(), source })
}

/// Ok: the listener could use them. For those who look before the service starts.
pub fn check_tls(files: &TlsFiles) -> Result<(), GatewayError> {
    acceptor(files).map(|_| ())
}
