//! Whether a connection leads out of the workspace: a cluster's promise to cut it off depends on its network plugin.

use crate::report;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// Time for a connection to an address that answers. A packet that is thrown away gets no answer at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Status: the address is not known.
const UNKNOWN: u8 = 2;

/// Connects to the address that two variables name, as Kubernetes gives its own to every pod. Success when somebody
/// answered there, also by refusing; failure when nobody did.
pub fn run(host_variable: &str, port_variable: &str) -> ExitCode {
    let value = |name: &str| std::env::var(name).unwrap_or_default();
    match (value(host_variable).parse::<IpAddr>(), value(port_variable).parse::<u16>()) {
        (Ok(host), Ok(port)) if answers(SocketAddr::new(host, port)) => ExitCode::SUCCESS,
        (Ok(_), Ok(_)) => ExitCode::FAILURE,
        _ => {
            report(format_args!("{host_variable} and {port_variable} name no address"));
            ExitCode::from(UNKNOWN)
        }
    }
}

fn answers(address: SocketAddr) -> bool {
    match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_answer_counts_whatever_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(answers(address));
        drop(listener);
        assert!(answers(address), "refused: the way is open");
        // A network that is reserved for documentation leads nowhere.
        assert!(!answers("[100::1]:9".parse().unwrap()));
    }
}
