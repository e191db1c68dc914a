//! Networks.

use super::case::{Case, Outcome, Verdict, declined, ensure, ensure_eq, ensure_error};
use crate::{EngineError, NetworkSpec, Subnet};
use std::sync::Arc;

pub(super) async fn a_network_has_the_asked_range_and_containers_are_in_it(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().custom_subnet {
        return declined("choice of network ranges");
    }
    let network = case.network("net").await?;
    let listed = case.engine.list_networks().await?;
    let listed = listed.iter().find(|listed| listed.name == network.name);
    ensure!(
        listed.is_some_and(|listed| listed.subnets == Vec::from_iter(network.subnet)
            && network.labels.iter().all(|label| listed.labels.contains(label))),
        "in the list: {listed:?}"
    );
    let mut spec = case.idle("inside");
    spec.network = Some(network.name.clone());
    let id = case.start(&spec).await?;
    let addresses = case.shell(&id, "hostname -I").await?;
    let own = addresses.split_whitespace().find_map(|address| address.parse().ok());
    let inside = own
        .zip(network.subnet)
        .is_some_and(|(address, subnet)| Subnet { address, prefix: 32 }.overlaps(subnet));
    ensure!(inside, "address {addresses:?} in {:?}", network.subnet);
    ensure_error!(case.engine.remove_network(&network.name).await, EngineError::Conflict(_));
    Ok(Verdict::Passed)
}

pub(super) async fn a_range_in_use_is_told(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().custom_subnet {
        return declined("choice of network ranges");
    }
    let network = case.network("first").await?;
    let clash = NetworkSpec { name: case.name("second"), ..network };
    ensure_error!(case.engine.create_network(&clash).await, EngineError::SubnetInUse(_));
    Ok(Verdict::Passed)
}

pub(super) async fn a_taken_network_name_is_a_conflict(case: Arc<Case>) -> Outcome {
    let network = case.network("net").await?;
    let again = NetworkSpec { subnet: None, ..network };
    ensure_error!(case.engine.create_network(&again).await, EngineError::Conflict(_));
    Ok(Verdict::Passed)
}

pub(super) async fn a_container_without_network_has_only_loopback(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().no_network {
        return declined("containers without any network");
    }
    let id = case.start(&case.idle("alone")).await?;
    let devices =
        case.shell(&id, "sed -n 's/^ *\\([^ :]*\\):.*/\\1/p' /proc/net/dev | sort | tr '\\n' ' '").await?;
    let others: Vec<&str> = devices
        .split_whitespace()
        // Devices that the kernel makes in every new namespace, and that lead nowhere.
        .filter(|name| !["lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0"].contains(name))
        .collect();
    ensure_eq!(others, Vec::<&str>::new(), "network devices");
    let routes = case.shell(&id, "tail -n +2 /proc/net/route").await?;
    ensure_eq!(routes, "", "routes");
    Ok(Verdict::Passed)
}

pub(super) async fn removing_a_network_twice_succeeds(case: Arc<Case>) -> Outcome {
    let network = case.network("net").await?;
    case.engine.remove_network(&network.name).await?;
    case.engine.remove_network(&network.name).await?;
    let missing = case.engine.list_networks().await?.iter().all(|other| other.name != network.name);
    ensure!(missing, "the network is gone from the list");
    let mut spec = case.idle("nowhere");
    spec.network = Some(network.name);
    let started = match case.engine.create_container(&spec).await {
        Ok(id) => case.engine.start_container(&id).await,
        Err(error) => Err(error),
    };
    ensure_error!(started, EngineError::NotFound(_));
    Ok(Verdict::Passed)
}
