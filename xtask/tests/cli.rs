//! `cargo xtask` as a clumsy user meets it: each wrong request gets a reason, a next step and the right exit status, and
//! leaves nothing behind. Runs the built program with a cache of its own; nothing here builds, boots or downloads.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder for one test: its cache, and whatever else it needs.
struct Place {
    dir: tempfile::TempDir,
}

/// What a request led to.
struct Answer {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program, about to run in the checkout with an empty cache.
    fn xtask(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(words).current_dir(checkout()).env("UKL_CACHE", self.path("cache")).stdin(Stdio::null());
        command.env_remove("CARGO_MANIFEST_DIR");
        command
    }

    fn ask(&self, words: &[&str]) -> Answer {
        answer(&mut self.xtask(words))
    }

    /// A checkout with nothing but levels and applications, to be spoilt.
    fn spoilt_checkout(&self) -> PathBuf {
        let root = self.path("checkout");
        for folder in ["kernel/levels", "apps/hello"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            for entry in std::fs::read_dir(checkout().join(folder)).unwrap() {
                let from = entry.unwrap().path();
                std::fs::copy(&from, root.join(folder).join(from.file_name().unwrap())).unwrap();
            }
        }
        root
    }

    /// A folder with every program of /usr/bin but these, for PATH.
    fn path_without(&self, absent: &[&str]) -> PathBuf {
        let bin = self.path("bin");
        std::fs::create_dir(&bin).unwrap();
        for entry in std::fs::read_dir("/usr/bin").unwrap() {
            let from = entry.unwrap().path();
            let name = from.file_name().unwrap();
            if !absent.iter().any(|absent| name == *absent) {
                symlink(&from, bin.join(name)).unwrap();
            }
        }
        bin
    }
}

impl Answer {
    /// Checks the exit status, that the reason is one line with all of `words` in it, and that a next step follows.
    fn refuses(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{}", self.stderr);
        let reasons: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(reasons.len(), 1, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in: {}", self.stderr);
        }
        let next = ["\n next: ", "try '--help'"].iter().any(|next| self.stderr.contains(next));
        assert!(next, "no next step: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

fn answer(command: &mut Command) -> Answer {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn unknown_names_get_a_proposal_and_status_2() {
    let place = Place::new();
    place.ask(&["runn", "hello"]).refuses(2, &["runn", "'run'"]);
    place.ask(&["run", "helo"]).refuses(2, &["`helo`", "did you mean `hello`?"]);
    place.ask(&["run", "hello", "--level", "bybb"]).refuses(2, &["`bybb`", "did you mean `byb`?"]);
    place.ask(&["run", "hello", "--levle", "byb"]).refuses(2, &["--levle", "--level"]);
    place.ask(&["run", "../hello"]).refuses(2, &["`../hello` does not exist", "hello"]);
}

#[test]
fn an_unknown_test_gets_a_proposal_before_anything_is_built() {
    let place = Place::new();
    place.ask(&["test", "redsi"]).refuses(2, &["`redsi`", "did you mean `redis`?"]);
    place.ask(&["test", "--list", "byb/smp1/redis/pign"]).refuses(2, &["did you mean `byb/smp1/redis/ping`?"]);
    place.ask(&["test", "polling-level/"]).refuses(2, &["no test's name contains `polling-level/`", "byb/"]);
    place.ask(&["test", "memory-max"]).refuses(2, &["cargo xtask test userland/linux/memory-max"]);
    assert!(!place.path("cache/steps").exists() && !place.path("cache/sources").exists());
}

#[test]
fn the_names_of_all_tests_are_listed_without_compilers() {
    let place = Place::new();
    let list = |words: &[&str]| {
        let bin = place.path_without(&["gcc", "ld", "make", "qemu-system-x86_64", "cargo"]);
        let answer = answer(place.xtask(&[&["test", "--list"], words].concat()).env("PATH", &bin));
        std::fs::remove_dir_all(bin).unwrap();
        assert_eq!(answer.status, Some(0), "{}", answer.stderr);
        answer.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = list(&[]);
    let mut distinct = all.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), all.len(), "a name is listed twice");
    for there in [
        "unit/the_names_of_all_tests_are_listed_without_compilers",
        "unit/cache::tests::two_callers_build_a_step_once_between_them",
        "ret/smp2/behaviour/signal-storm",
        "shortcut/smp2/hello-rs/threads",
        "linux/parties/secrecy/missing-party",
        "differential/redis/shortcut/half-close",
        "order/microbench/getppid",
        "order/redis/GET-total",
        "packages/xz/byb/its-own-test-of-files",
        "nix/same-image",
        "reproduce/redis/byb/manifest",
    ] {
        assert!(all.iter().any(|name| name == there), "{there} is not listed");
    }
    let unasked = list(&["redis"]);
    assert!(unasked.contains(&"byb/smp1/redis/ping".to_owned()));
    assert!(unasked.iter().all(|name| name.contains("redis")), "{unasked:?}");
    assert!(!place.path("cache/steps").exists());
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    let place = Place::new();
    place.ask(&["run", "redis", "--port", "0"]).refuses(2, &["'0'", "1..=65535"]);
    place.ask(&["run", "redis", "--smp", "65"]).refuses(2, &["'65'", "1..=64"]);
    place.ask(&["run", "redis", "--memory-mib", "1"]).refuses(2, &["'1'", "96.."]);
    place.ask(&["run", "redis", "--level", "byb", "--level", "base"]).refuses(2, &["multiple times"]);
    place.ask(&["run", "hello", "--port", "7000"]).refuses(2, &["`hello` has no port"]);
}

#[test]
fn a_wrong_manifest_is_named_with_its_line() {
    let place = Place::new();
    let root = place.spoilt_checkout();
    let level = root.join("kernel/levels/void.toml");
    let ask = |content: &[u8]| {
        std::fs::write(&level, content).unwrap();
        answer(place.xtask(&["run", "hello", "--level", "void"]).current_dir(&root))
    };
    ask(b"").refuses(1, &["void.toml", "missing field `summary`"]);
    ask(b"summary = 's'\nkernel = 'ukl'\n[options]\nbypas = true\n").refuses(1, &["line 4", "`bypas`", "`bypass`"]);
    ask(b"summary = 's'\nkernel = 3\n").refuses(1, &["line 2"]);
    ask(b"\xff\xfe").refuses(1, &["void.toml", "UTF-8"]);
    let manifest = root.join("apps/hello/app.toml");
    let spoilt = std::fs::read_to_string(&manifest).unwrap().replace("[build]", "[biuld]");
    std::fs::write(&manifest, spoilt).unwrap();
    answer(place.xtask(&["run", "hello"]).current_dir(&root)).refuses(1, &["app.toml", "`biuld`", "`build`"]);
}

#[test]
fn it_works_from_a_folder_of_the_checkout_and_says_so_elsewhere() {
    let place = Place::new();
    let inside = answer(place.xtask(&["fetch", "--list"]).current_dir(checkout().join("apps/redis")));
    assert_eq!(inside.status, Some(0), "{}", inside.stderr);
    assert!(inside.stdout.contains("redis_") && inside.stdout.contains("linux_"), "{}", inside.stdout);
    answer(place.xtask(&["fetch", "--list"]).current_dir("/")).refuses(1, &["not inside a checkout"]);
}

#[test]
fn a_taken_port_is_refused_before_anything_is_built() {
    let place = Place::new();
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let holder = TcpListener::bind(address).unwrap();
        let port = holder.local_addr().unwrap().port().to_string();
        place.ask(&["--no-install", "run", "redis", "--port", &port]).refuses(1, &["is taken", &port, "--port"]);
    }
    assert!(!place.path("cache/steps").exists() && !place.path("cache/sources").exists());
}

#[test]
fn missing_programs_are_named_with_the_command_that_installs_them() {
    let place = Place::new();
    let bin = place.path_without(&["qemu-system-x86_64", "flex"]);
    let answer = answer(place.xtask(&["--no-install", "run", "hello"]).env("PATH", bin));
    answer.refuses(1, &["flex", "qemu-system-x86", "apt-get install"]);
    assert!(!place.path("cache/steps").exists());
}

#[test]
fn a_cache_that_cannot_be_used_is_refused() {
    let place = Place::new();
    let ask = |cache: &Path| answer(place.xtask(&["fetch", "--list"]).env("UKL_CACHE", cache));
    std::fs::write(place.path("file"), "").unwrap();
    ask(&place.path("file")).refuses(1, &["file", "UKL_CACHE"]);
    ask(&place.path("a b")).refuses(1, &["' '", "UKL_CACHE"]);
    assert!(!place.path("a b").exists());
    ask(Path::new("/proc/ukl")).refuses(1, &["/proc/ukl", "UKL_CACHE"]);
    let accented = ask(&place.path("\u{fc}"));
    assert_eq!(accented.status, Some(0), "{}", accented.stderr);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let place = Place::new();
    for stderr_too in [false, true] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.xtask(&["fetch", "--list"]);
        command.stdout(writer.try_clone().unwrap()).stderr(Stdio::piped());
        if stderr_too {
            command.stderr(writer);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn output_to_a_full_disk_is_an_error() {
    let place = Place::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.xtask(&["fetch", "--list"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Answer { status: output.status.code(), stdout: String::new(), stderr }.refuses(1, &["standard output"]);
}

#[test]
fn a_corrupt_tarball_is_moved_aside_with_both_hashes() {
    let place = Place::new();
    let sources = place.path("cache/sources");
    std::fs::create_dir_all(&sources).unwrap();
    let list = place.ask(&["fetch", "--list"]).stdout;
    let (hash, path) = list.lines().next().unwrap().split_once("  ").unwrap();
    std::fs::write(path, "no tarball").unwrap();
    place.ask(&["fetch"]).refuses(1, &[hash, "SHA-256", ".rejected", "run the same command again"]);
    assert!(!Path::new(path).exists() && Path::new(&format!("{path}.rejected")).exists());
}

#[test]
fn an_apt_that_cannot_be_used_leaves_the_way_by_hand() {
    let place = Place::new();
    let fake = place.path("apt-get");
    std::fs::write(&fake, "#!/bin/sh\necho 'E: first reason' >&2\necho 'E: second reason' >&2\nexit 100\n").unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", place.dir.path().display());
    answer(place.xtask(&["fetch"]).env("PATH", path)).refuses(1, &["apt configuration", "first reason", "by hand"]);
}

#[test]
fn an_object_that_is_none_is_refused() {
    let place = Place::new();
    let readme = checkout().join("README.md");
    place.ask(&["audit", readme.to_str().unwrap()]).refuses(1, &["README.md", "ELF", "gcc -c"]);
    place.ask(&["audit", "/nonexistent.o"]).refuses(1, &["/nonexistent.o", "cannot be read"]);
    place.ask(&["boot", "/nonexistent", "/nonexistent"]).refuses(1, &["/nonexistent", "cargo xtask build"]);
}

/// Compiles C with this machine's compiler; `None` when it cannot do that.
fn compile(place: &Place, name: &str, source: &str, options: &[&str]) -> Option<String> {
    let (from, to) = (place.path(&format!("{name}.c")), place.path(name));
    std::fs::write(&from, source).unwrap();
    let output = Command::new("gcc").args(options).arg(&from).arg("-o").arg(&to).output().unwrap();
    output.status.success().then(|| to.to_str().unwrap().to_owned())
}

#[test]
fn a_program_that_ukl_cc_did_not_link_is_refused_with_the_way_to_link_it() {
    let place = Place::new();
    place.ask(&["run", "/bin/true"]).refuses(1, &["/bin/true", "shared libraries", "ukl-cc"]);
    let own = compile(&place, "static", "int main(void) { return 0; }", &["-static", "-nostdlib", "-e", "main"]);
    place.ask(&["run", &own.unwrap()]).refuses(1, &[".ukl.object", "not linked by ukl-cc", "cargo xtask toolchain"]);
    let library = compile(&place, "lib.so", "int f(void) { return 0; }", &["-shared", "-fPIC", "-nostdlib"]).unwrap();
    place.ask(&["run", &library]).refuses(1, &["lib.so is a shared library", "archive"]);
    let object = compile(&place, "main.o", "int main(void) { return 0; }", &["-c"]).unwrap();
    place.ask(&["run", &object]).refuses(1, &["main.o is an object, not a program", "ukl-cc -o PROGRAM"]);
    assert!(!place.path("cache/steps").exists());
}

#[test]
fn a_program_for_another_machine_is_refused_with_its_name() {
    let place = Place::new();
    // Only the header of an ELF file for AArch64 (EM_AARCH64 is 183) and, for 32 bits, for i386 (EM_386 is 3).
    for (bits, machine, words) in [(2, 183, ["Aarch64 (64 bits)", "x86-64"]), (1, 3, ["I386 (32 bits)", "x86-64"])] {
        let mut header =
            vec![0x7f, b'E', b'L', b'F', bits, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0, 1, 0, 0, 0];
        header.resize(if bits == 2 { 64 } else { 52 }, 0);
        let size = if bits == 2 { 52 } else { 40 };
        header[size] = u8::try_from(header.len()).unwrap();
        std::fs::write(place.path("foreign"), header).unwrap();
        place.ask(&["run", place.path("foreign").to_str().unwrap()]).refuses(1, &words);
        place.ask(&["audit", place.path("foreign").to_str().unwrap()]).refuses(1, &words);
    }
}

#[test]
fn each_reason_against_an_object_names_place_symbol_and_remedy() {
    let place = Place::new();
    let audit = |name: &str, source: &str, options: &[&str], words: &[&str]| {
        let options = [&["-c", "-O1", "-fcf-protection=none"], options].concat();
        let object = compile(&place, name, source, &options).unwrap();
        let answer = place.ask(&["audit", &object]);
        assert!(answer.stdout.lines().count() < 24, "more than a screen: {}", answer.stdout);
        for word in words {
            assert!(answer.stdout.contains(word), "no `{word}` in: {}", answer.stdout);
        }
        answer.refuses(1, &["1 of 1 objects"]);
    };
    let kernel = "-mcmodel=kernel -fno-pic -fno-pie";
    let kernel: Vec<_> = kernel.split(' ').collect();
    let call =
        "long f(long n) { long r; __asm__ volatile(\"syscall\" : \"=a\"(r) : \"a\"(n) : \"rcx\", \"r11\"); return r; }";
    audit("call.o", call, &kernel, &["f+", "instruction `syscall`", "call the C library's function"]);
    let thread = "__thread int t; int *f(void) { return &t; }";
    audit("pic.o", thread, &["-fPIC"], &["f+", "against `t`", "compile the file with ukl-cc"]);
    let table = "char table[40 << 20]; char *f(long n) { return table + n; }";
    audit("table.o", table, &kernel, &["`table` (.bss)", "41943040", "allocate large tables at run time"]);
    let absent = "int absent(int); int f(int n) { return absent(n) + 1; }";
    audit("absent.o", absent, &kernel, &["f+", "undefined symbol `absent`", "link the library that defines it"]);
}

#[test]
fn options_of_a_program_that_make_no_sense_are_refused() {
    let place = Place::new();
    place.ask(&["run", "./no-such-program"]).refuses(2, &["`./no-such-program` does not exist", "ukl-cc"]);
    place.ask(&["run", "hello", "--file", "a:/b"]).refuses(2, &["--file", "[guest.files]"]);
    place.ask(&["run", "/bin/true", "--file", "README.md"]).refuses(2, &["README.md", "HOST:GUEST"]);
    place.ask(&["run", "redis", "--port", "7000:1"]).refuses(2, &["has no port 1", "6379"]);
    place.ask(&["run", "redis", "--port", "7000", "--port", "7001"]).refuses(2, &["given twice", "6379"]);
    place.ask(&["toolchain", "--library", "libevnt"]).refuses(2, &["`libevnt`", "did you mean `libevent`?"]);
    place.ask(&["new", "c", "Not_A_Name"]).refuses(2, &["Not_A_Name", "a-z"]);
    place.ask(&["new", "c", "hello"]).refuses(2, &["hello exists already"]);
}

#[test]
fn cleaning_an_empty_cache_is_no_error() {
    let place = Place::new();
    let answer = place.ask(&["clean", "--all"]);
    assert_eq!(answer.status, Some(0), "{}", answer.stderr);
}
