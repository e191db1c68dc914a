//! Which crate may depend on which. The table of ARCHITECTURE.md, enforced.

use std::collections::BTreeMap;

/// Each crate of the product and those of the product that it may use, development dependencies aside.
pub(crate) const ALLOWED: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("link", &["protocol"]),
    ("mirror", &[]),
    ("agent", &["protocol", "link", "mirror"]),
    ("broker", &["protocol"]),
    ("local-models", &["protocol"]),
    ("engine", &["protocol"]),
    ("engine-docker", &["engine", "protocol"]),
    ("engine-podman", &["engine", "protocol"]),
    ("engine-kubernetes", &["engine", "protocol"]),
    (
        "cockpit",
        &[
            "protocol",
            "link",
            "broker",
            "local-models",
            "engine",
            "engine-docker",
            "engine-podman",
            "engine-kubernetes",
        ],
    ),
    ("remote", &["cockpit", "protocol"]),
    ("cli", &["broker", "cockpit", "protocol", "remote"]),
    ("desktop", &["cockpit", "protocol"]),
];

/// Crates that are never shipped and may use any.
pub(crate) const UNSHIPPED: &[&str] = &["testkit", "xtask"];

/// Dependencies of others that must stay inside one crate, and which.
pub(crate) const CONFINED: &[(&str, &[&str])] = &[
    ("bollard", &["engine-docker"]),
    ("podman-api", &["engine-podman"]),
    ("kube", &["engine-kubernetes"]),
    ("k8s-openapi", &["engine-kubernetes"]),
    ("tauri", &["desktop"]),
    ("axum", &["broker", "remote"]),
    ("reqwest", &["broker", "local-models"]),
    ("rusqlite", &["broker", "cockpit"]),
    ("alacritty_terminal", &["mirror"]),
    ("portable-pty", &["agent"]),
    ("yamux", &["link"]),
];

/// A crate's direct dependencies, names without `aicockpit-` where they are ours.
pub(crate) struct Crate {
    /// Its name without `aicockpit-`.
    pub name: String,
    /// Crates of ours that its shipped code uses.
    pub ours: Vec<String>,
    /// Other crates that its shipped code uses.
    pub others: Vec<String>,
}

/// Every breach, one sentence each.
pub(crate) fn breaches(crates: &[Crate]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut found = Vec::new();
    for one in crates {
        if UNSHIPPED.contains(&one.name.as_str()) {
            continue;
        }
        let Some(may) = allowed.get(one.name.as_str()) else {
            found.push(format!("`{}` is not in the table of crates (crates/xtask/src/arrows.rs)", one.name));
            continue;
        };
        for used in one.ours.iter().filter(|used| !may.contains(&used.as_str())) {
            found.push(format!("`{}` must not depend on `{used}`", one.name));
        }
        for (confined, to) in CONFINED {
            if one.others.iter().any(|other| other == confined) && !to.contains(&one.name.as_str()) {
                found.push(format!(
                    "`{}` must not use {confined}, which belongs to {}",
                    one.name,
                    to.join(", ")
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, ours: &[&str], others: &[&str]) -> Crate {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Crate { name: name.to_owned(), ours: owned(ours), others: owned(others) }
    }

    #[test]
    fn arrows_against_the_table_are_found() {
        assert!(breaches(&[one("link", &["protocol"], &["yamux"])]).is_empty());
        let found = breaches(&[
            one("protocol", &["engine"], &[]),
            one("cli", &["cockpit"], &["bollard"]),
            one("novelty", &[], &[]),
            one("xtask", &["cockpit"], &["bollard"]),
        ]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "`protocol` must not depend on `engine`");
        assert!(found[1].contains("must not use bollard"), "{}", found[1]);
        assert!(found[2].contains("`novelty`"), "{}", found[2]);
    }
}
