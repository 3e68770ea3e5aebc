//! `secrecy`: one of three parties that answer a query over tables of which none of them sees a row, or all three at once.

use clap::{Args, Parser, Subcommand};
use secrecy::table::MAX_ROWS;
use secrecy::{Net, Query, Randomness, Report, Result, Waiting, Work, listen, local, take_part};
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Answers a query over secret-shared tables and prints one line of JSON.
#[derive(Parser)]
#[command(name = "secrecy", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take part as one of three parties, each a process of its own.
    Party {
        /// Which of the peers this is.
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..3))]
        id: u8,
        /// Where the parties 0, 1 and 2 are; this one listens at its own.
        #[arg(long, value_name = "HOST:PORT,HOST:PORT,HOST:PORT")]
        peers: Peers,
        #[command(flatten)]
        options: Options,
    },
    /// Run all three parties as threads of this process, over the loopback.
    Local {
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
struct Options {
    /// What to ask.
    #[arg(long)]
    query: Query,
    /// Rows of each input table.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=MAX_ROWS as i64))]
    rows: u32,
    /// What the input tables and their shares are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send at most so many 64-bit words in a message; a round that needs more becomes several.
    #[arg(long, value_name = "N")]
    message_words: Option<NonZeroUsize>,
    /// Poll the sockets in a loop instead of blocking in the kernel.
    #[arg(long)]
    spin: bool,
    /// Compare the answer with that of the query in the clear.
    #[arg(long)]
    check: bool,
    /// How long a message may take.
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    deadline_ms: u64,
}

impl Options {
    fn work(&self) -> Work {
        Work { query: self.query, rows: self.rows as usize, seed: self.seed, message_words: self.message_words }
    }

    fn waiting(&self) -> Waiting {
        Waiting { deadline: Duration::from_millis(self.deadline_ms), spin: self.spin }
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Party { id, peers, options } => party(id.into(), peers, &options),
        Command::Local { options } => local(options.work(), options.check, options.waiting()),
    };
    match done {
        Ok(report) => {
            println!("{}", serde_json::to_string(&report).expect("a report is plain data"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}\n next: {}", error.next());
            ExitCode::FAILURE
        }
    }
}

/// Where the three parties are.
#[derive(Clone, Copy, Debug)]
struct Peers([SocketAddr; 3]);

impl FromStr for Peers {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Peers, String> {
        let addresses: Vec<_> = text.split(',').map(resolve).collect::<std::result::Result<_, _>>()?;
        let count = addresses.len();
        let three = addresses.try_into().map_err(|_| format!("{count} addresses, expected 3, one for each party"))?;
        Ok(Peers(three))
    }
}

fn resolve(peer: &str) -> std::result::Result<SocketAddr, String> {
    let found = peer.to_socket_addrs().map_err(|error| format!("`{peer}`: {error}"))?.next();
    found.ok_or_else(|| format!("`{peer}` has no address"))
}

fn party(id: usize, Peers(addresses): Peers, options: &Options) -> Result<Report> {
    let listener = listen(addresses[id])?;
    let net = Net::connect(id, &listener, addresses, options.work().digest(), options.waiting())?;
    let (_, report) = take_part(net, options.work(), options.check, options.spin, Randomness::System)?;
    Ok(report)
}
