//! What perf wrote.

use anyhow::{Context, Result};
use linux_perf_data::linux_perf_event_reader::{CpuMode, EventRecord, Regs, SampleRecord};
use linux_perf_data::{PerfFileReader, PerfFileRecord};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// A sample's line; its stack follows behind it.
#[derive(Debug, Serialize)]
struct Sample {
    pid: i32,
    /// The name of its thread.
    comm: String,
    /// The kernel's part, the innermost first.
    kernel: Vec<u64>,
    /// The application's registers, by their numbers in DWARF.
    registers: Option<[Option<u64>; 17]>,
    /// The number of bytes behind this line: its stack from RSP up.
    stack_bytes: usize,
}

/// The numbers that perf gives the registers (asm/perf_regs.h), in the order of those of DWARF.
const ORDER: [u64; 17] = [0, 3, 2, 1, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8];
/// Numbers from here on in a call chain are marks: what follows belongs to the kernel, or to the program.
const MARKS: u64 = -4095i64 as u64;
const IN_KERNEL: u64 = -128i64 as u64;

/// Prints all samples.
pub(crate) fn print(path: &Path) -> Result<()> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let reading = || format!("reading {}", path.display());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let PerfFileReader { mut perf_file, mut record_iter } =
        PerfFileReader::parse_file(std::io::BufReader::new(file)).with_context(reading)?;
    let mut names = BTreeMap::new();
    while let Some(record) = record_iter.next_record(&mut perf_file).with_context(reading)? {
        let PerfFileRecord::EventRecord { record, .. } = record else { continue };
        match record.parse().with_context(reading)? {
            EventRecord::Comm(comm) => {
                names.insert(comm.tid, String::from_utf8_lossy(&comm.name.as_slice()).into_owned());
            }
            EventRecord::Sample(sample) => write(&sample, &names, &mut out).context("writing the samples")?,
            EventRecord::Lost(lost) => anyhow::bail!("perf lost {} samples: the guest was too slow for it", lost.count),
            _ => {}
        }
    }
    out.flush().context("writing the samples")
}

fn write(sample: &SampleRecord, names: &BTreeMap<i32, String>, out: &mut impl Write) -> Result<()> {
    let (pid, tid) = (sample.pid.unwrap_or(-1), sample.tid.unwrap_or(-1));
    let name = if tid == 0 { Some("idle".to_owned()) } else { names.get(&tid).cloned() };
    let stack = sample.user_stack.as_ref().map(|(bytes, used)| (bytes.as_slice(), *used as usize));
    let stack = stack.as_ref().map_or(&[][..], |(bytes, used)| &bytes[..bytes.len().min(*used)]);
    let line = Sample {
        pid,
        comm: name.unwrap_or_else(|| format!("[{tid}]")),
        kernel: kernel(sample),
        registers: sample.user_regs.as_ref().map(|regs: &Regs| ORDER.map(|number| regs.get(number))),
        stack_bytes: stack.len(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")?;
    out.write_all(stack)?;
    Ok(())
}

/// The kernel's part of the call chain.
fn kernel(sample: &SampleRecord) -> Vec<u64> {
    let mut kernel = Vec::new();
    let mut inside = sample.cpu_mode == CpuMode::Kernel;
    for at in 0..sample.callchain.as_ref().map_or(0, |chain| chain.len()) {
        let Some(address) = sample.callchain.as_ref().and_then(|chain| chain.get(at)) else { break };
        if address >= MARKS {
            inside = address == IN_KERNEL;
        } else if inside {
            kernel.push(address);
        }
    }
    kernel
}
