//! TLS: a certificate and a key from files.

use std::path::Path;
use std::sync::Arc;

use engine::{Error, Result};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// What takes connections with a certificate and its key, both in PEM files, to speak `protocol` by ALPN's name.
pub(crate) fn acceptor(certificate: &Path, key: &Path, protocol: &str) -> Result<TlsAcceptor> {
    let unusable = |path: &Path, error: &dyn std::fmt::Display| {
        Error::input(format!("cannot use `{}` for TLS", path.display()))
            .with_detail(format!("{error}."))
            .with_hint("Both files have to be PEM: a chain of certificates, and its private key.")
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|e| unusable(certificate, &e))?;
    if chain.is_empty() {
        return Err(unusable(certificate, &"There is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable(key, &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(certificate, &e))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| unusable(key, &e))?;
    config.alpn_protocols = vec![protocol.into()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
