//! Requests per second over QEMU's user network: from the host, with connections that open one after the other.

use super::{Image, Server};
use anyhow::{Context, Result, ensure};
use ukl_host::failure::Failure;
use ukl_loadgen::{Amount, Protocol, Ratio, Settings, Workload};

/// Those of the peers' table; more than these overflow the user network's backlog.
pub(super) const CONNECTIONS: u32 = 50;
/// Time between two connections, for the same reason.
const CONNECT_PACE_MS: u64 = 50;
/// How long requests are counted.
const MEASURED_S: f64 = 3.0;

/// Requests per second of one kind, `GETS:SETS`.
pub(super) fn measure(guest: &mut Server, image: &Image, ratio: &str) -> Result<f64> {
    let requests = &image.requests;
    let protocol = match requests.protocol.as_str() {
        "memcached" => Protocol::Memcached,
        _ => Protocol::Redis,
    };
    let parts = ratio.split_once(':').and_then(|(gets, sets)| Some((gets.parse().ok()?, sets.parse().ok()?)));
    let (gets, sets) = parts.with_context(|| format!("ratio {ratio:?} is not GETS:SETS"))?;
    let settings = Settings {
        connections: CONNECTIONS,
        pipeline: requests.pipeline,
        workload: Workload::Mix(Ratio { gets, sets }),
        value_bytes: requests.value_bytes,
        keys: requests.keys.into(),
        warmup_requests: requests.warmup_requests / 3,
        connect_pace_ms: CONNECT_PACE_MS,
        latency: false,
        ..Settings::new(protocol, format!("127.0.0.1:{}", guest.port), Amount::DurationS(MEASURED_S))
    };
    let results = ukl_loadgen::run(&settings)?.results;
    guest.vm.check_alive()?;
    ensure!(
        results.errors.total() == 0,
        Failure::new(
            format!("{} requests were not answered well: {:?}", results.errors.total(), results.errors.first),
            "run it again; the user network loses connections when it is flooded",
        )
    );
    Ok(results.requests_per_s)
}
