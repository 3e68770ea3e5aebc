//! What the server does while it is sampled.

use crate::requests::Requests;
use crate::schema;
use anyhow::Result;
use ukl_host::failure::Failure;
use ukl_repo::config::App;
use ukl_repo::repo::Repo;

/// Requests of the first part, with the values of the benchmark.
const SMALL: u64 = 8000;
/// Requests of the second part. Its values are larger than what a server reads at once, so that the usual paths of TCP are seen
/// as well at a level with shortcuts.
const LARGE: u64 = 300;
const LARGE_BYTES: u32 = 65536;
const LARGE_KEYS: u32 = 100;
const LARGE_CONNECTIONS: u32 = 10;
/// Both parts write half of the time.
const RATIO: &str = "1:1";

/// Two parts, one after the other, of the load of `bench.toml`. Its many connections keep requests from coming in step with the
/// samples, which would then all fall on the same few functions.
#[derive(Clone, Debug)]
pub struct Load {
    requests: Requests,
}

impl Load {
    /// The load for a server.
    pub fn read(repo: &Repo, app: &App) -> Result<Self> {
        let requests = schema::requests(repo, app)?.ok_or_else(|| {
            Failure::usage(
                format!("nothing says what to ask {}: {} has no `[requests]`", app.name, schema::path(app).display()),
                "name a server that `cargo xtask bench --app` takes, such as redis",
            )
        })?;
        Ok(Load { requests })
    }

    /// Arguments for the server instead of those in app.toml.
    pub fn arguments(&self) -> Option<&[String]> {
        self.requests.arguments.as_deref()
    }

    /// Command lines of the load generator: one that writes the keys, and the two parts.
    pub fn commands(&self, program: &str) -> (String, [String; 2]) {
        let large = Requests {
            value_bytes: LARGE_BYTES,
            keys: LARGE_KEYS,
            connections: LARGE_CONNECTIONS,
            ..self.requests.clone()
        };
        let command = |requests: &Requests, count: u64, more: &str| {
            format!("{program} run {} --requests {count} --no-latency --strict{more}", requests.options(RATIO))
        };
        let small = &self.requests;
        // The second part writes its keys itself: they have the names of the first one's.
        (command(small, 1, ""), [command(small, SMALL, " --no-populate"), command(&large, LARGE, "")])
    }

    /// What stands below a picture's title.
    pub fn summary(&self) -> String {
        format!(
            "{SMALL} requests of {} bytes over {} connections, then {LARGE} of {LARGE_BYTES} bytes over {LARGE_CONNECTIONS}; half write",
            self.requests.value_bytes, self.requests.connections
        )
    }
}
