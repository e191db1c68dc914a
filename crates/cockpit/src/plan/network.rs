//! A small network for each workspace.
//!
//! Engines know nothing of each other, and a Podman network that nothing runs in leaves no trace on the machine. So
//! that two engines do not give the same range away, Docker's are taken from the beginning of the configured range and
//! Podman's from its end; and none is taken that the machine has a route to.

use super::job::Job;
use crate::settings::network_range;
use crate::workspaces::labels;
use aicockpit_engine::{EngineError, NetworkSpec, Subnet};
use aicockpit_protocol::engine::EngineKind;
use aicockpit_protocol::workspace::StepKind;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

/// Prefix of a workspace's network: 13 addresses for containers are plenty for one.
const PREFIX: u8 = 28;
/// Ranges that are tried: another program's network may take one in the moment between looking and making.
const MAX_TRIES: usize = 16;

/// A range that nobody else takes while this lives.
struct Reserved<'a> {
    subnet: Subnet,
    all: &'a Mutex<HashSet<Subnet>>,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.subnet);
    }
}

/// Makes the workspace's network, where it is not there yet.
pub(super) async fn ensure(job: &Job) -> Result<(), ApiError> {
    let to_api = |error: EngineError| error.to_api("make the workspace's network");
    let name = labels::object_name(job.id());
    let labels = labels::of_helper(job.id(), job.workspaces.store.owner());
    let range = network_range(&job.workspaces.settings.get())?;
    let mut refused = HashSet::new();
    for _ in 0..MAX_TRIES {
        let networks = job.engine.list_networks().await.map_err(to_api)?;
        if networks.iter().any(|network| network.name == name) {
            return Ok(());
        }
        let routes = host_routes().into_iter().filter(|route| route.prefix >= range.prefix);
        let used: Vec<Subnet> =
            networks.into_iter().flat_map(|network| network.subnets).chain(routes).collect();
        let reserved = if job.engine.capabilities().custom_subnet {
            Some(reserve(job, range, &used, &refused)?)
        } else {
            None
        };
        let subnet = reserved.as_ref().map(|reserved| reserved.subnet);
        let spec = NetworkSpec { name: name.clone(), subnet, labels: labels.clone() };
        match job.engine.create_network(&spec).await {
            Ok(()) => {
                if let Some(subnet) = subnet {
                    job.step_note(StepKind::Network, subnet.to_string()).await;
                }
                return Ok(());
            }
            Err(EngineError::SubnetInUse(_)) if subnet.is_some() => refused.extend(subnet),
            Err(error) => return Err(to_api(error)),
        }
    }
    Err(exhausted(range))
}

fn reserve<'a>(
    job: &'a Job,
    range: Subnet,
    used: &[Subnet],
    refused: &HashSet<Subnet>,
) -> Result<Reserved<'a>, ApiError> {
    let all = &job.workspaces.plans.subnets;
    let mut taken = all.lock().unwrap_or_else(PoisonError::into_inner);
    let end = if job.engine.kind() == EngineKind::Podman { End::Last } else { End::First };
    let subnet = free(range, end, |subnet| {
        used.iter().any(|other| other.overlaps(subnet))
            || taken.contains(&subnet)
            || refused.contains(&subnet)
    })
    .ok_or_else(|| exhausted(range))?;
    taken.insert(subnet);
    Ok(Reserved { subnet, all })
}

fn exhausted(range: Subnet) -> ApiError {
    ApiError::new(ErrorCode::NoSpace, format!("No free network is left in the range {range}."))
        .hint("Delete workspaces that you no longer need, or choose a larger network range in the settings.")
}

/// Where the search begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

/// The part of `range` nearest to one end that is not `taken`.
fn free(range: Subnet, end: End, taken: impl Fn(Subnet) -> bool) -> Option<Subnet> {
    let size = 1u32 << (32 - PREFIX);
    let mask = u32::MAX.checked_shl(32 - u32::from(range.prefix)).unwrap_or(0);
    let first = u32::from(range.address) & mask;
    let count = 1u32 << PREFIX.checked_sub(range.prefix)?;
    (0..count)
        .map(|index| if end == End::First { index } else { count - 1 - index })
        .map(|index| Subnet { address: Ipv4Addr::from(first + index * size), prefix: PREFIX })
        .find(|subnet| !taken(*subnet))
}

/// Networks that this machine has a route to, its default route left out; none where the system does not say so in
/// Linux's way.
fn host_routes() -> Vec<Subnet> {
    routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default())
}

fn routes(table: &str) -> Vec<Subnet> {
    let of_line = |line: &str| {
        let mut fields = line.split_whitespace();
        // In the machine's byte order.
        let number =
            |field: Option<&str>| u32::from_str_radix(field?, 16).ok().map(|number| number.to_ne_bytes());
        let address = number(fields.nth(1))?;
        let prefix = u32::from_be_bytes(number(fields.nth(5))?).count_ones();
        let prefix = u8::try_from(prefix).ok().filter(|prefix| *prefix > 0)?;
        Some(Subnet { address: Ipv4Addr::from(address), prefix })
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_part_that_overlaps_nothing_is_taken() {
        let used = [subnet("10.213.0.0/27"), subnet("10.213.0.48/28"), subnet("172.17.0.0/16")];
        let taken = |candidate: Subnet| used.iter().any(|other| other.overlaps(candidate));
        let first = |range: &str| free(subnet(range), End::First, taken);
        assert_eq!(first("10.213.0.0/16"), Some(subnet("10.213.0.32/28")));
        assert_eq!(first("10.213.1.77/24"), Some(subnet("10.213.1.0/28")));
        assert_eq!(first("10.213.0.0/27"), None);
        assert_eq!(first("10.9.0.16/28"), Some(subnet("10.9.0.16/28")));
        assert_eq!(first("10.9.0.16/29"), None);
        let last = |range: &str| free(subnet(range), End::Last, taken);
        assert_eq!(last("10.213.0.0/16"), Some(subnet("10.213.255.240/28")));
        assert_eq!(last("10.213.0.0/26"), Some(subnet("10.213.0.32/28")));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_machines_routes_are_read() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     br0\t7000D50A\t00000000\t0001\t0\t0\t0\tF0FFFFFF\t0\t0\t0\nnonsense\n";
        assert_eq!(routes(table), [subnet("10.213.0.112/28")]);
    }
}
