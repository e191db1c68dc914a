//! What can be typed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Containerised development workspaces.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 the present state does not allow it, 5 engine or
/// workspace out of reach. `exec` and `shell` end with the status of the program they ran.
#[derive(Debug, Parser)]
#[command(name = "aicockpit", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do. A workspace is named by its name, its id, or the first characters of its id.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the browser interface on this machine.
    Serve(Serve),
    /// Serve every model of this machine and of providers by one OpenAI-compatible address, without a cockpit.
    Broker(Box<BrokerArguments>),
    /// Show what models were used for: requests, tokens, money and speed.
    Usage(Usage),
    /// List workspaces.
    #[command(visible_alias = "ls")]
    List,
    /// Create a workspace and wait until it runs.
    Create(Box<Create>),
    /// Start stopped workspaces.
    Start(Several),
    /// Stop workspaces.
    Stop(Several),
    /// Make the containers of workspaces anew that were removed by something else. Files are kept.
    Recreate(Several),
    /// Forget what ran of workspaces on a machine of their cluster that does not answer.
    LetGo(LetGo),
    /// Delete workspaces: container, network and volume. Folders of this machine stay.
    #[command(visible_alias = "delete")]
    Rm(Remove),
    /// Run a program in a workspace, without a terminal.
    Exec(Exec),
    /// Open a terminal of a workspace here. Ctrl-] leaves it running.
    Shell(OpenShell),
    /// Show the output of a workspace's container.
    Logs(Logs),
    /// List ports, open and close forwards.
    Ports(Ports),
    /// Copy files and folders between this machine and a workspace.
    Cp(Copy),
    /// Check what AiCockpit needs on this machine, and say how to mend it.
    Doctor,
    /// Print the completion script of a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// Serves the browser interface.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Loopback address and port; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Folder of the interface's files.
    #[arg(long, env = "AICOCKPIT_UI")]
    pub(crate) ui: Option<PathBuf>,
}

/// Serves models.
#[derive(Debug, Args)]
pub(crate) struct BrokerArguments {
    /// Address and port; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:4100")]
    pub(crate) listen: SocketAddr,
    /// A model server: its base address, which ends before /chat/completions; may be repeated. Without one, those found
    /// on this machine are used. `kind` is openai, llama-cpp, ollama, lm-studio or vllm; `key-env` names the variable
    /// that holds its key.
    #[arg(long, value_name = "NAME=URL[,kind=…][,key-env=…][,max-parallel=…]")]
    pub(crate) backend: Vec<String>,
    /// A name for a model, and where it leads: later ones are asked where earlier ones fail; may be repeated.
    #[arg(long, value_name = "NAME=BACKEND/MODEL[,…]")]
    pub(crate) alias: Vec<String>,
    /// The settings as JSON: `backends`, `aliases`, `first_byte_seconds`, `idle_seconds`, `queue_seconds` (how long a
    /// request waits for a place), `limits` (requests and tokens a minute, requests at once, budgets of tokens and money
    /// for day and month: for `each` key, for `all`, or `of` single ones; the printed key is `command line`), `prices`
    /// (for a million tokens) and `currency`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The variable that holds a backend's key, for one of the configuration; may be repeated.
    #[arg(long, value_name = "BACKEND=VARIABLE")]
    pub(crate) key_env: Vec<String>,
    /// Where the key for clients is kept: read from there, or made and written there. Else each start makes a new one
    /// and prints it.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Write every request down here, with tokens, cost and times but without question and answer; `aicockpit usage
    /// --ledger` shows them. Budgets then go on where they were after a start.
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Refuse backends that are not on this machine: no byte leaves it.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Serve figures for Prometheus at /metrics of this address and port. They hold no question, answer or key, and are
    /// given without one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Answer `aicockpit usage --broker` on this socket: sums, single requests, and what is kept of questions and
    /// answers. Only this user gets an answer.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) inspect: Option<PathBuf>,
    /// Keep the last questions and answers, in memory alone. They are shown by `aicockpit usage --broker … --request`.
    #[arg(long, requires = "inspect")]
    pub(crate) keep_prompts: bool,
    /// Another name by which clients call this server; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Largest body of a request, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 20)]
    pub(crate) max_body: usize,
    /// Listen where other machines can reach it. Nothing is encrypted.
    #[arg(long)]
    pub(crate) allow_remote: bool,
}

/// Shows what models were used for.
#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// Read this ledger, for instance of `aicockpit broker --ledger`; without it, the cockpit's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Ask a broker that runs: one of `aicockpit broker --inspect`, by the socket named there.
    #[arg(long, value_name = "SOCKET", conflicts_with = "ledger")]
    pub(crate) broker: Option<PathBuf>,
    /// List that many single requests instead, the newest first.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) requests: Option<u32>,
    /// Show the question and the answer of this request, where they are kept.
    #[arg(long, value_name = "ID", conflicts_with_all = ["requests", "ledger"])]
    pub(crate) request: Option<String>,
    /// By what to tell it apart.
    #[arg(long, value_enum, default_value = "model")]
    pub(crate) by: By,
    /// How far back to look, in days of 24 hours.
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) days: u16,
}

/// By what usage is told apart.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum By {
    /// The model's name, as asked for.
    Model,
    /// The server that answered.
    Backend,
    /// Whose key it was: a workspace, or another name.
    Owner,
}

/// What to show of a container's output.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The workspace.
    pub(crate) workspace: String,
    /// Go on with what comes, until the container ends.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Lines from the end.
    #[arg(long, short = 'n', value_name = "LINES", default_value_t = 1000)]
    pub(crate) tail: u32,
}

/// One workspace or more.
#[derive(Debug, Args)]
pub(crate) struct Several {
    /// The workspaces.
    #[arg(required = true)]
    pub(crate) workspaces: Vec<String>,
}

/// Lets workspaces go whose machine does not answer.
#[derive(Debug, Args)]
pub(crate) struct LetGo {
    /// The workspaces.
    #[arg(required = true)]
    pub(crate) workspaces: Vec<String>,
    /// Do not ask: the machines are known to be gone.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Deletes workspaces.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The workspaces.
    #[arg(required = true)]
    pub(crate) workspaces: Vec<String>,
    /// Do not ask, even where work would be lost.
    #[arg(long, short)]
    pub(crate) force: bool,
}

/// Creates a workspace.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Create {
    /// A folder of this machine, or the address of a Git repository.
    #[arg(value_name = "FOLDER|URL", group = "source")]
    pub(crate) place: Option<OsString>,
    /// Clone this Git repository, also one in a folder of this machine.
    #[arg(long, value_name = "URL", group = "source")]
    pub(crate) git: Option<String>,
    /// Mount this folder of this machine.
    #[arg(long, value_name = "PATH", group = "source")]
    pub(crate) folder: Option<PathBuf>,
    /// Begin with an empty folder.
    #[arg(long, group = "source")]
    pub(crate) empty: bool,
    /// Branch or tag to clone.
    #[arg(long, conflicts_with_all = ["folder", "empty"])]
    pub(crate) branch: Option<String>,
    /// Image to run, instead of the base image.
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) image: Option<String>,
    /// Name of the workspace.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How much it is trusted.
    #[arg(long, value_enum, default_value = "standard")]
    pub(crate) profile: TrustProfile,
    /// Engine to run it on.
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// Variable of its environment; may be repeated.
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Memory limit, for instance 2g or 512m.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// CPU limit in cores, for instance 1.5.
    #[arg(long, value_name = "CORES")]
    pub(crate) cpus: Option<f64>,
    /// Limit on processes and threads.
    #[arg(long, value_name = "COUNT")]
    pub(crate) pids: Option<u64>,
    /// Port published by the engine, with the port of this machine where it matters; may be repeated.
    #[arg(long, value_name = "[HOST:]PORT", value_parser = published)]
    pub(crate) publish: Vec<(Option<u16>, u16)>,
    /// Pass this machine's certificate authorities on.
    #[arg(long)]
    pub(crate) trust_host_certificates: bool,
    /// Pass this machine's GPU on.
    #[arg(long)]
    pub(crate) gpu: bool,
    /// Show what each step prints.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// How much a workspace is trusted.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TrustProfile {
    /// An ordinary development environment; sudo works inside.
    Standard,
    /// No network, no privileges, read-only system.
    Locked,
}

/// Runs a program.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// The workspace.
    pub(crate) workspace: String,
    /// Directory to run it in; the workspace folder where none is given.
    #[arg(long, short = 'C', value_name = "DIRECTORY")]
    pub(crate) directory: Option<OsString>,
    /// Variable added to its environment; may be repeated.
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Program and arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// Opens a terminal.
#[derive(Debug, Args)]
pub(crate) struct OpenShell {
    /// The workspace; started where it is stopped.
    pub(crate) workspace: String,
    /// A terminal that runs already, instead of a new one.
    #[arg(long, short, value_name = "NUMBER", conflicts_with = "command")]
    pub(crate) terminal: Option<u32>,
    /// As root, whoever the workspace's user is.
    #[arg(long, conflicts_with = "terminal")]
    pub(crate) root: bool,
    /// Program and arguments, instead of the user's shell.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// Lists ports, opens and closes forwards.
#[derive(Debug, Args)]
pub(crate) struct Ports {
    /// The workspace.
    pub(crate) workspace: String,
    /// Open a forward to this port, or to this host as seen from inside; may be repeated.
    #[arg(long, short, value_name = "[HOST:]PORT", value_parser = target)]
    pub(crate) forward: Vec<(String, u16)>,
    /// Close a forward; may be repeated.
    #[arg(long, value_name = "[HOST:]PORT", value_parser = target)]
    pub(crate) close: Vec<(String, u16)>,
}

/// Copies files and folders.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// What to copy: a path of this machine, or WORKSPACE:PATH.
    pub(crate) from: OsString,
    /// Where to: a path of this machine, or WORKSPACE:PATH. Into a folder that exists, under its own name.
    pub(crate) to: OsString,
}

fn size(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (number, factor) = match text.char_indices().next_back() {
        Some((at, 'k')) => (&text[..at], 1u64 << 10),
        Some((at, 'm')) => (&text[..at], 1 << 20),
        Some((at, 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: u64 =
        number.parse().map_err(|_| "give a number with k, m or g, for instance 2g".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is more than any machine has".to_owned())
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("`{text}` is no port from 1 to 65535"))
}

fn published(text: &str) -> Result<(Option<u16>, u16), String> {
    match text.split_once(':') {
        Some((host, container)) => Ok((Some(port(host)?), port(container)?)),
        None => Ok((None, port(text)?)),
    }
}

fn target(text: &str) -> Result<(String, u16), String> {
    match text.rsplit_once(':') {
        Some((host, number)) if !host.is_empty() => Ok((host.to_owned(), port(number)?)),
        _ => Ok(("localhost".to_owned(), port(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_and_targets_are_read() {
        assert_eq!(size("2g"), Ok(2 << 30));
        assert_eq!(size("512MB"), Ok(512 << 20));
        assert_eq!(size("1000"), Ok(1000));
        assert!(size("much").is_err());
        assert_eq!(target("3000"), Ok(("localhost".to_owned(), 3000)));
        assert_eq!(target("db.internal:5432"), Ok(("db.internal".to_owned(), 5432)));
        assert_eq!(published("8080:80"), Ok((Some(8080), 80)));
        assert!(target("0").is_err());
    }

    #[test]
    fn exactly_one_source_is_asked_for() {
        let parse = |args: &[&str]| Arguments::try_parse_from([&["aicockpit", "create"], args].concat());
        assert!(parse(&["--empty"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--empty", "--git", "x"]).is_err());
        assert!(parse(&["."]).is_ok());
        assert!(parse(&[".", "--empty"]).is_err());
        assert!(parse(&["--empty", "--branch", "x"]).is_err());
    }
}
