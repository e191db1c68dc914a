//! Keys, certificates and kubeconfigs of the cluster.

use super::network::{NODE, NODE_ADDRESS, SERVICE_ADDRESS};
use super::{configuration, metrics, run_folder};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Who speaks to the API server: the kubeconfig's name, the user, the group.
const CLIENTS: &[(&str, &str, Option<&str>)] = &[
    ("admin", "kubernetes-admin", Some("system:masters")),
    ("kube-controller-manager", "system:kube-controller-manager", None),
    ("kube-scheduler", "system:kube-scheduler", None),
    ("kube-proxy", "system:kube-proxy", None),
    ("metrics-server", metrics::USER, None),
    ("kubelet", "system:node:aicockpit", Some("system:nodes")),
];

/// By whose certificate the API server hands requests on to the metrics API: nobody else may name the asker there.
pub(super) const FRONT_PROXY: &str = "front-proxy";

/// The folder of keys and certificates.
pub(super) fn folder() -> PathBuf {
    run_folder().join("pki")
}

/// The kubeconfig of one part.
pub(super) fn kubeconfig(name: &str) -> PathBuf {
    run_folder().join(format!("{name}.kubeconfig"))
}

/// Makes everything, unless it is there.
pub(super) fn write() -> anyhow::Result<()> {
    let folder = folder();
    // Written last.
    if kubeconfig("admin").exists() {
        return Ok(());
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let authority = authority("AiCockpit test cluster")?;
    write_private(&folder.join("ca.crt"), &authority.pem())?;
    let accounts = KeyPair::generate()?;
    write_private(&folder.join("service-accounts.key"), &accounts.serialize_pem())?;
    write_private(&folder.join("service-accounts.pub"), &accounts.public_key_pem())?;
    let names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
    let addresses = [NODE_ADDRESS, SERVICE_ADDRESS, "127.0.0.1"];
    let server: Vec<_> = names.iter().chain(&addresses).copied().collect();
    pair(&folder, &authority, "kube-apiserver", None, &server)?;
    pair(&folder, &authority, "kubelet", None, &[NODE, NODE_ADDRESS])?;
    pair(&folder, &authority, "kubelet-client", Some("system:masters"), &[])?;
    pair(&folder, &authority, "metrics-server", None, &[metrics::HOST])?;
    let front_proxy = self::authority("AiCockpit test cluster, front proxy")?;
    write_private(&folder.join("front-proxy-ca.crt"), &front_proxy.pem())?;
    pair(&folder, &front_proxy, FRONT_PROXY, None, &[])?;
    for (name, user, group) in CLIENTS.iter().rev() {
        let (certificate, key) = signed(&authority, user, *group, &[])?;
        let text = configuration::kubeconfig(
            &STANDARD.encode(authority.pem()),
            &STANDARD.encode(certificate),
            &STANDARD.encode(key),
        );
        write_private(&kubeconfig(name), &text)?;
    }
    Ok(())
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> anyhow::Result<Authority> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?).context("cannot make the cluster's authority")
}

/// A certificate and its key: a server's where it has names, otherwise a client's.
fn signed(
    authority: &Authority,
    user: &str,
    group: Option<&str>,
    names: &[&str],
) -> anyhow::Result<(String, String)> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let purpose = if names.is_empty() {
        ExtendedKeyUsagePurpose::ClientAuth
    } else {
        ExtendedKeyUsagePurpose::ServerAuth
    };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority).with_context(|| format!("cannot sign for {user}"))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn pair(
    folder: &Path,
    authority: &Authority,
    name: &str,
    group: Option<&str>,
    names: &[&str],
) -> anyhow::Result<()> {
    let (certificate, key) = signed(authority, name, group, names)?;
    write_private(&folder.join(format!("{name}.crt")), &certificate)?;
    write_private(&folder.join(format!("{name}.key")), &key)
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
