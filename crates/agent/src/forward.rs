//! TCP connections from inside the workspace.

use aicockpit_link::{LinkError, LinkStream, write_frame};
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::agent::{AgentError, encode};
use aicockpit_protocol::port::ForwardTarget;
use hickory_resolver::Resolver;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long one address may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a name may take to be found.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
const BUFFER_LEN: usize = 64 * 1024;

/// Connects to the target and passes bytes both ways until both sides have ended.
///
/// # Errors
/// Where the link ends.
pub(crate) async fn serve(target: ForwardTarget, mut stream: LinkStream) -> Result<(), LinkError> {
    let connected = connect(&target).await;
    let answer: Result<(), &AgentError> = connected.as_ref().map(|_| ());
    let message = encode(&answer).map_err(|error| LinkError::Io(error.message))?;
    write_frame(&mut stream, &message).await?;
    match connected {
        Ok(mut tcp) => {
            tokio::io::copy_bidirectional_with_sizes(&mut stream, &mut tcp, BUFFER_LEN, BUFFER_LEN).await?;
        }
        Err(_) => tokio::io::AsyncWriteExt::shutdown(&mut stream).await?,
    }
    Ok(())
}

async fn connect(target: &ForwardTarget) -> Result<TcpStream, AgentError> {
    if target.port == 0 {
        return Err(AgentError::new(ErrorCode::InvalidArgument, "port 0 cannot be connected to"));
    }
    let addresses = addresses(&target.host).await?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses.into_iter().take(MAX_ADDRESSES) {
        let attempt = TcpStream::connect(SocketAddr::new(address, target.port));
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(Ok(tcp)) => {
                // Small messages matter more than full packets here.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    let place = format!("{}:{}", target.host, target.port);
    Err(match last.kind() {
        io::ErrorKind::ConnectionRefused => {
            AgentError::new(ErrorCode::NotFound, format!("nothing listens on {place} inside the workspace"))
        }
        io::ErrorKind::TimedOut => AgentError::new(ErrorCode::TimedOut, format!("{place} does not answer")),
        _ => AgentError::new(
            ErrorCode::NotFound,
            format!("cannot connect to {place} from the workspace: {last}"),
        ),
    })
}

/// The addresses of a host, in the order in which to try them. libc is not asked: a static one may not load what its
/// name service configuration asks for.
async fn addresses(host: &str) -> Result<Vec<IpAddr>, AgentError> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok(vec![address]);
    }
    let unknown = |why: &dyn std::fmt::Display| {
        AgentError::new(ErrorCode::NotFound, format!("the workspace cannot find the host {host}: {why}"))
    };
    // Built each time: the files may change, and a workspace may join a network.
    let resolver =
        Resolver::builder_tokio().and_then(|builder| builder.build()).map_err(|error| unknown(&error))?;
    let lookup = tokio::time::timeout(RESOLVE_TIMEOUT, resolver.lookup_ip(host)).await;
    let found =
        lookup.map_err(|_| unknown(&"its name server does not answer"))?.map_err(|error| unknown(&error))?;
    Ok(found.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn literal_addresses_and_localhost_need_no_name_server() {
        assert_eq!(addresses("LocalHost").await.unwrap().len(), 2);
        assert_eq!(addresses("[::1]").await.unwrap(), [IpAddr::from(Ipv6Addr::LOCALHOST)]);
        assert_eq!(addresses("10.1.2.3").await.unwrap(), [IpAddr::from([10, 1, 2, 3])]);
    }

    #[tokio::test]
    async fn a_port_without_listener_is_said_to_be_one() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = connect(&ForwardTarget { host: "127.0.0.1".into(), port }).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        assert!(error.message.contains("nothing listens"), "{error}");
    }
}
