//! What this program reads that others wrote, for the fuzzers in `xtask/fuzz` and the test below: whatever the bytes are, a parser
//! answers with a result or an error, and soon.

use std::io::Cursor;
use std::path::Path;
use ukl_app::symbols::Frames;
use ukl_audit::{audit, program};
use ukl_bench::calls::{self, Rules};
use ukl_clients::Script;
use ukl_kernel::{configure, syscalls};
use ukl_ld::Inputs;
use ukl_loadgen::Protocol;
use ukl_repo::config::{App, KernelPin, Level, Library, Package, RawApp, RawLevel, RawLibrary, RawPackage, parse};
use ukl_report::record::GuestFacts;
use ukl_run::{memcached, resp};
use ukl_sources::apt;
use ukl_stress::fuzz::{differences, target};
use ukl_stress::soak::accounts::Accounts;
use ukl_supply::pins;
use ukl_vm::vm::{console, messages, shell};

/// A parser with its name, which is also that of its fuzzer.
pub type Parser = (&'static str, fn(&[u8]));

/// Every parser.
pub const PARSERS: &[Parser] = &[
    ("toml", toml),
    ("fragment", fragment),
    ("elf", elf),
    ("frames", frames),
    ("console", console),
    ("protocols", protocols),
    ("listings", listings),
    ("figures", figures),
    ("scripts", scripts),
];

/// Errors with a file that has no other name.
const NAME: &str = "fuzzed";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The manifests of the repository: kernel, levels, applications, libraries, packages, and what counts are held to.
pub fn toml(bytes: &[u8]) {
    let text = text(bytes);
    let _ = parse::<KernelPin>(&text).and_then(|pin| pin.source.validate());
    let _ = parse::<RawLevel>(&text).and_then(|raw| Level::validate(NAME, raw));
    let _ = parse::<RawLibrary>(&text).and_then(|raw| Library::validate(NAME, raw));
    let _ = parse::<RawPackage>(&text).and_then(|raw| Package::validate(NAME, raw));
    let _ = parse::<RawApp>(&text).and_then(|raw| App::validate(NAME, Path::new("/"), raw, vec![]));
    let _ = parse::<Rules>(&text);
}

/// A fragment of the kernel's configuration.
pub fn fragment(bytes: &[u8]) {
    let _ = configure::fragment::parse(Path::new(NAME), &text(bytes));
}

/// Objects and programs, and what a program says it was linked from.
pub fn elf(bytes: &[u8]) {
    let path = Path::new(NAME);
    if let Ok(kind) = program::kind(path, bytes) {
        match kind {
            program::Kind::Object => drop(audit::audit_object(path, bytes, None)),
            program::Kind::Program => drop(program::object(path, bytes)),
        }
    }
    let _ = Inputs::of_text(&text(bytes)).object(".text", 16);
}

/// The table by which stacks are walked.
pub fn frames(bytes: &[u8]) {
    if let Ok(frames) = Frames::read(0x1000, bytes) {
        let _ = frames.covers(0x1010);
    }
}

/// The guest's console, and the shell in it.
pub fn console(bytes: &[u8]) {
    messages::lines(bytes).iter().for_each(|line| drop(console::said(&line.text())));
    let text = text(bytes);
    let _ = shell::parse(&text);
}

/// Answers of servers.
pub fn protocols(bytes: &[u8]) {
    let _ = resp::decode(&mut Cursor::new(bytes));
    let _ = memcached::decode(&mut Cursor::new(bytes));
    for protocol in [Protocol::Redis, Protocol::Memcached, Protocol::Echo] {
        let _ = protocol.parse(bytes);
    }
}

/// Lists of Debian's archives and packages.
pub fn listings(bytes: &[u8]) {
    let text = text(bytes);
    let _ = pins::listing::parse(&text, "trixie");
    let _ = (apt::parse_archives(&text), apt::parse_updates(&text));
}

/// What programs in the guest print, and the tables of the kernel and of docs/compatibility.md.
pub fn figures(bytes: &[u8]) {
    let text = text(bytes);
    let _ = (calls::parse(&text), Accounts::parse(&text), GuestFacts::parse(&text, 1, 1));
    let _ = (differences::Known::parse(&text), syscalls::parse(&text, &text));
    text.lines().for_each(|line| drop((target::batch(line), target::call(line))));
}

/// Scripts of the TCP clients.
pub fn scripts(bytes: &[u8]) {
    let _ = Script::parse(NAME, &text(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use fs_err as fs;
    use ukl_host::process;
    use xshell::{Shell, cmd};

    /// Mutations of each seed.
    const ROUNDS: usize = 400;
    const MAX_LENGTH: usize = 1 << 16;

    fn repository(file: &str) -> Vec<u8> {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
    }

    /// What each parser understands: the fuzzers' beginning, too.
    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        match name {
            "toml" => [
                "kernel/kernel.toml",
                "kernel/levels/byb.toml",
                "apps/redis/app.toml",
                "apps/secrecy/app.toml",
                "apps/microbench/bench.toml",
                "apps/libraries/libevent.toml",
                "apps/packages/lighttpd.toml",
            ]
            .map(repository)
            .to_vec(),
            "fragment" => vec![repository("kernel/config/checked.config")],
            "elf" | "frames" => vec![object()],
            "console" => texts(&[
                "UKL-READY tcp 6379\r\nukl: level=byb cpl=0 pid=63\nh[    1.500000] WARNING: CPU: 0\nUKL-EXIT status=139\n",
                "UKL-BESIDE memcached status=1\nUKL-PROTECTION on: smap off: pti\nout\r\nUKL-DONE 0\r\n",
            ]),
            "protocols" => texts(&[
                "*2\r\n:-7\r\n$-1\r\n",
                "$5\r\nhello\r\n+OK\r\n-ERR no\r\n",
                "VALUE a 7 5\r\nx\r\ny\0\r\nEND\r\n",
                "STAT pid 1\r\nEND\r\n",
            ]),
            "listings" => texts(&[
                "Package: musl\nVersion: 1.2.5-3\nChecksums-Sha256:\n 00ff 17 musl_1.2.5.orig.tar.gz\n\n",
                "500 http://example.org/debian trixie/main amd64 Packages\n",
            ]),
            "figures" => texts(&[
                "count name=getppid min=66 median=66 unit=instructions\n",
                "batch 7 calls 400 last 3 hash 00ff end 8b leaks 1 ffffffff81000000\n0 9 3 10 8\n",
                "100.00\n2\ncpu  1000 0 2000 15000 0 500 700 0 0 0\n900 1800\n",
                "0\tcommon\tread\tsys_read\nasmlinkage long sys_read(unsigned int fd, char *buf, size_t count);\n",
            ]),
            "scripts" => {
                let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apps/redis/clients");
                let files = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap);
                let files = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "toml"));
                files.map(|file| fs::read(file.path()).unwrap()).collect()
            }
            _ => panic!("{name} has no seeds"),
        }
    }

    /// A small object with code, data, relocations, thread-local storage and a table of frames.
    fn object() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let (source, object) = (dir.path().join("t.c"), dir.path().join("t.o"));
        let text = "__thread int t; extern int g(int *); int d[9] = {1}; int f(int x) { t += x; return g(d) + t; }\n";
        fs::write(&source, text).unwrap();
        let sh = Shell::new().unwrap();
        process::read(cmd!(sh, "gcc -O1 -c {source} -o {object}")).unwrap();
        fs::read(object).unwrap()
    }

    /// Changes some bytes, or takes, doubles, or moves a piece.
    fn mutated(seed: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..random.usize(1..6) {
            if bytes.is_empty() || bytes.len() > MAX_LENGTH {
                break;
            }
            let at = random.usize(..bytes.len());
            let end = (at + random.usize(1..64)).min(bytes.len());
            match random.u8(..6) {
                0 => bytes[at] ^= 1 << random.u8(..8),
                1 => bytes[at] = *random.choice(&[0, 0x7f, 0x80, 0xff, b'-', b'9', b'\n', b'"']).unwrap(),
                2 => bytes.truncate(at),
                3 => drop(bytes.drain(at..end)),
                4 => bytes.extend_from_within(at..end),
                _ => bytes[at..end].fill(random.u8(..)),
            }
        }
        bytes
    }

    /// The fuzzers find more (`xtask/fuzz/README.md`); this holds what they have found.
    #[test]
    fn no_parser_panics_whatever_it_reads() {
        let mut random = fastrand::Rng::with_seed(7);
        for (name, parser) in PARSERS {
            let seeds = seeds(name);
            assert!(!seeds.is_empty(), "{name} has no seeds");
            for seed in seeds {
                parser(&seed);
                for _ in 0..ROUNDS {
                    parser(&mutated(&seed, &mut random));
                }
            }
        }
    }

    #[test]
    fn each_parser_has_its_fuzzer() {
        let mut fuzzers: Vec<_> =
            walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets"))
                .into_iter()
                .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .filter(|name| name != "fuzz_targets")
                .collect();
        let mut parsers: Vec<_> = PARSERS.iter().map(|(name, _)| (*name).to_owned()).collect();
        fuzzers.sort();
        parsers.sort();
        assert_eq!(fuzzers, parsers);
    }
}
