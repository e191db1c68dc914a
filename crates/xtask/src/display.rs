//! A display and a session bus of our own, for windows that nobody looks at.

use crate::shell;
use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

/// An X server without a screen, and a D-Bus session. They end when dropped.
pub(crate) struct Screen {
    server: Child,
    bus: Child,
    name: String,
    address: String,
}

impl Screen {
    /// Starts both and waits until they can be used.
    pub(crate) fn start() -> anyhow::Result<Self> {
        // The server takes a free number and writes it once it is ready.
        let mut server = shell::run("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1440x900x24", "-nolisten", "tcp"])
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start Xvfb")?;
        let number = first_line(&mut server);
        let bus = shell::run("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let (mut bus, number) = match (bus, number) {
            (Ok(bus), Ok(number)) => (bus, number),
            (bus, number) => {
                end(&mut server);
                bus.context("cannot start dbus-daemon")?;
                number?;
                bail!("no display");
            }
        };
        let address = first_line(&mut bus);
        let mut screen = Self { server, bus, name: format!(":{number}"), address: String::new() };
        screen.address = address?;
        Ok(screen)
    }

    /// For DISPLAY.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// For DBUS_SESSION_BUS_ADDRESS.
    pub(crate) fn bus(&self) -> &str {
        &self.address
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        end(&mut self.bus);
        end(&mut self.server);
    }
}

fn first_line(child: &mut Child) -> anyhow::Result<String> {
    let output = child.stdout.take().context("no output to read from")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).context("cannot read what was started")?;
    let line = line.trim();
    if line.is_empty() {
        bail!("Xvfb or dbus-daemon ended at once");
    }
    Ok(line.to_owned())
}

fn end(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // Only fails where it has ended already; the wait collects it either way.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let _ = child.wait();
}
