//! Published ports.

use super::case::{Case, Failure, Outcome, Verdict, declined, ensure, ensure_eq, ensure_error};
use crate::{ContainerSpec, EngineError, PortBinding};
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// Greets whoever connects to port 8080.
const GREETER: &str = "$| = 1; use IO::Socket::INET; \
    my $s = IO::Socket::INET->new(Listen => 5, LocalPort => 8080, ReuseAddr => 1) or die $!; \
    while (my $c = $s->accept) { print $c qq(hello from inside\\n); close $c }";

async fn greeter(case: &Case, what: &str, host: Option<u16>) -> Result<ContainerSpec, Failure> {
    let mut spec = case.spec(what, &["perl", "-e", GREETER]);
    spec.network = Some(case.network(&format!("net-{what}")).await?.name);
    spec.ports = vec![PortBinding { container: 8080, host }];
    Ok(spec)
}

pub(super) async fn a_published_port_is_reached_on_loopback_only(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().published_ports {
        return declined("published ports");
    }
    let id = case.start(&greeter(&case, "greeter", None).await?).await?;
    let ports = case.engine.inspect_container(&id).await?.ports;
    ensure_eq!(ports.len(), 1, "published ports");
    ensure_eq!(ports[0].container, 8080, "port inside");
    let Some(port) = ports[0].host else {
        return Err(Failure("the host's port is not known while the container runs".to_owned()));
    };
    case.eventually(async || {
        let mut said = String::new();
        TcpStream::connect(("127.0.0.1", port)).await?.read_to_string(&mut said).await?;
        ensure_eq!(said, "hello from inside\n", "what the port says");
        Ok(())
    })
    .await?;
    ensure!(listens_only_on_loopback(port).await?, "port {port} is reachable from outside this machine");
    Ok(Verdict::Passed)
}

/// Looks at the machine's listening sockets: binding the port on another address must be free.
async fn listens_only_on_loopback(port: u16) -> Result<bool, Failure> {
    match TcpListener::bind(("127.0.0.2", port)).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn a_port_in_use_is_told(case: Arc<Case>) -> Outcome {
    if !case.engine.capabilities().published_ports {
        return declined("published ports");
    }
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let port = taken.local_addr()?.port();
    let spec = greeter(&case, "late", Some(port)).await?;
    let started = match case.engine.create_container(&spec).await {
        Ok(id) => case.engine.start_container(&id).await,
        Err(error) => Err(error),
    };
    ensure_error!(started, EngineError::PortInUse(_));
    Ok(Verdict::Passed)
}
