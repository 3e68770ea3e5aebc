//! The attempts.

/// An attempt that has to be refused, as arguments of `ukl-intruder`.
///
/// In them `{stub}` starts the application, `{roots}` is a process of it that root has started and `{mine}` one that the
/// user has; `{sleep}` is an ordinary process of the user, and `{entry}` the address of the entry of calls.
#[derive(Debug)]
pub(super) struct Attempt {
    pub name: &'static str,
    pub attempt: &'static str,
    /// What becomes of it.
    pub answer: &'static str,
    /// The same where it is allowed.
    pub controls: &'static [&'static str],
}

const fn refused(
    name: &'static str,
    attempt: &'static str,
    answer: &'static str,
    controls: &'static [&'static str],
) -> Attempt {
    Attempt { name, attempt, answer, controls }
}

pub(super) const ATTEMPTS: &[Attempt] = &[
    // A file of one's own, or one that can be changed.
    refused(
        "stub-of-the-user",
        "--as user start plain /tmp/own --version",
        "refused EACCES",
        &["--as user start plain /tmp/roots --version"],
    ),
    refused(
        "stub-that-others-write",
        "--as user start plain /tmp/wide --version",
        "refused EACCES",
        &["--as user start plain /tmp/roots --version"],
    ),
    refused(
        "stub-that-others-write-by-root",
        "start plain /tmp/wide --version",
        "refused EACCES",
        &["start plain /tmp/roots --version"],
    ),
    refused(
        "stub-whose-mode-says-no",
        "--as user start plain /tmp/closed --version",
        "refused EACCES",
        &["start plain /tmp/closed --version"],
    ),
    refused(
        "stub-on-a-nosuid-mount",
        "--as user start plain /tmp/nosuid/stub --version",
        "refused EACCES",
        &["--as user start plain /tmp/suid/stub --version", "start plain /tmp/nosuid/stub --version"],
    ),
    refused(
        "stub-in-memory",
        "--as user start memory {stub} --version",
        "refused EACCES",
        &["start memory {stub} --version", "--as user start memory /bin/busybox true"],
    ),
    // From a place where root is nobody.
    refused(
        "user-namespace",
        "--as user start namespace {stub} --version",
        "refused EPERM",
        &["--as user start plain {stub} --version", "--as user start namespace /bin/busybox true"],
    ),
    refused(
        "user-namespace-with-its-own-stub",
        "--as user start namespace-copy {stub} --version",
        "refused EACCES",
        &["start plain /tmp/roots --version", "--as user start namespace-copy /bin/busybox true"],
    ),
    refused(
        "container",
        "--as container start plain {stub} --version",
        "refused EPERM",
        &["start plain {stub} --version", "--as container start plain /bin/busybox true"],
    ),
    refused(
        "container-with-its-own-stub",
        "--as container start plain /tmp/roots --version",
        "refused EPERM",
        &["start plain /tmp/roots --version"],
    ),
    refused(
        "container-with-a-stub-in-memory",
        "--as container start memory {stub} --version",
        "refused EPERM",
        &["start memory {stub} --version"],
    ),
    refused(
        "container-in-a-user-namespace",
        "--as container start namespace {stub} --version",
        "refused EPERM",
        &["--as container start namespace /bin/busybox true"],
    ),
    // With a hold on what is started.
    refused(
        "no-new-privileges",
        "--as user start no-new-privileges {stub} --version",
        "refused EPERM",
        &["start no-new-privileges {stub} --version", "--as user start no-new-privileges /bin/busybox true"],
    ),
    refused(
        "filter-that-makes-up-results",
        "--as user start filter {stub} --version",
        "refused EPERM",
        &["start filter {stub} --version", "--as user start filter /bin/busybox true"],
    ),
    refused(
        "traced-exec",
        "--as user start traced {stub} --version",
        "refused EPERM",
        &["start traced {stub} --version", "--as user start traced /bin/busybox true"],
    ),
    refused(
        "seized-exec",
        "--as user start seized {stub} --version",
        "refused EPERM",
        &["start seized {stub} --version", "--as user start seized /bin/busybox true"],
    ),
    refused(
        "traced-exec-in-a-container",
        "--as container start traced {stub} --version",
        "refused EPERM",
        &["start traced {stub} --version", "--as container start traced /bin/busybox true"],
    ),
    refused(
        "shared-working-directory",
        "--as user start shared-directory {stub} --version",
        "refused EPERM",
        &["start shared-directory {stub} --version", "--as user start shared-directory /bin/busybox true"],
    ),
    // One that runs already, as the same user.
    refused(
        "ptrace-attach",
        "--as user touch attach {mine}",
        "refused EPERM",
        &["touch attach {mine}", "--as user touch attach {sleep}"],
    ),
    refused(
        "ptrace-seize",
        "--as user touch seize {mine}",
        "refused EPERM",
        &["touch seize {mine}", "--as user touch seize {sleep}"],
    ),
    refused(
        "process-vm-writev",
        "--as user touch write {mine}",
        "refused EPERM",
        &["touch write {mine}", "--as user touch write {sleep}"],
    ),
    refused(
        "process-vm-readv",
        "--as user touch read {mine}",
        "refused EPERM",
        &["touch read {mine}", "--as user touch read {sleep}"],
    ),
    refused(
        "proc-mem",
        "--as user touch memory {mine}",
        "refused EACCES",
        &["touch memory {mine}", "--as user touch memory {sleep}"],
    ),
    refused(
        "pidfd-getfd",
        "--as user touch descriptor {mine}",
        "refused EPERM",
        &["touch descriptor {mine}", "--as user touch descriptor {sleep}"],
    ),
    // What tells where the kernel's text lies.
    refused(
        "proc-syscall",
        "--as user touch registers {mine}",
        "refused EACCES",
        &["touch registers {mine}", "--as user touch registers {sleep}"],
    ),
    refused(
        "proc-maps",
        "--as user touch maps {mine}",
        "refused EACCES",
        &["touch maps {mine}", "--as user touch maps {sleep}"],
    ),
    refused(
        "proc-auxv",
        "--as user touch auxiliary {mine}",
        "refused EACCES",
        &["touch auxiliary {mine}", "--as user touch auxiliary {sleep}"],
    ),
    refused(
        "perf-samples",
        "--as user touch samples {mine}",
        "refused EACCES",
        &["touch samples {mine}", "--as user touch samples {sleep}"],
    ),
    refused("kallsyms", "--as user learn symbols", "refused zeros", &["learn symbols"]),
    refused("kernel-log", "--as user learn log", "refused EPERM", &["learn log"]),
    // Root's, from a container that sees it and has CAP_SYS_PTRACE.
    refused(
        "container-ptrace-attach",
        "--as container touch attach {roots}",
        "refused EPERM",
        &["touch attach {roots}", "--as container touch attach {sleep}"],
    ),
    refused(
        "container-ptrace-seize",
        "--as container touch seize {roots}",
        "refused EPERM",
        &["touch seize {roots}", "--as container touch seize {sleep}"],
    ),
    refused(
        "container-process-vm-writev",
        "--as container touch write {roots}",
        "refused EPERM",
        &["touch write {roots}", "--as container touch write {sleep}"],
    ),
    refused(
        "container-proc-mem",
        "--as container touch memory {roots}",
        "refused EACCES",
        &["touch memory {roots}", "--as container touch memory {sleep}"],
    ),
    refused(
        "container-pidfd-getfd",
        "--as container touch descriptor {roots}",
        "refused EPERM",
        &["touch descriptor {roots}", "--as container touch descriptor {sleep}"],
    ),
    // Root's, by somebody else.
    refused("prlimit", "--as user touch limit {roots}", "refused EPERM", &["--as user touch limit {sleep}"]),
    refused("kill", "--as user touch signal {roots}", "refused EPERM", &["--as user touch signal {mine}"]),
    refused(
        "core-pattern",
        "--as user open /proc/sys/kernel/core_pattern",
        "refused EACCES",
        &["open /proc/sys/kernel/core_pattern"],
    ),
    refused(
        "kernel-probes",
        "--as user open /sys/kernel/tracing/kprobe_events",
        "refused EACCES",
        &["open /sys/kernel/tracing/kprobe_events"],
    ),
    // The mark, forged by an ordinary process.
    refused(
        "sigreturn-to-the-kernels-segment",
        "--as user forge sigreturn-segment",
        "signal SIGSEGV",
        &["--as user forge sigreturn-segment --harmless"],
    ),
    refused(
        "sigreturn-with-the-mark",
        "--as user forge sigreturn-mark --target {entry}",
        "signal SIGSEGV",
        &["--as user forge sigreturn-mark --harmless"],
    ),
    refused(
        "sigreturn-to-the-entry",
        "--as user forge sigreturn-target --target {entry}",
        "signal SIGSEGV",
        &["--as user forge sigreturn-target --harmless"],
    ),
    refused(
        "poke-of-the-kernels-segment",
        "--as user forge poke-segment",
        "refused EIO",
        &["--as user forge poke-segment --harmless"],
    ),
    refused(
        "jump-to-the-entry",
        "--as user forge jump --target {entry}",
        "signal SIGSEGV",
        &["--as user forge jump --harmless"],
    ),
    refused("far-jump", "--as user forge far-jump", "signal SIGSEGV", &["--as user forge far-jump --harmless"]),
    refused(
        "32-bit-entry",
        "--as user forge interrupt80",
        "signal SIGSEGV",
        &["--as user forge interrupt80 --harmless"],
    ),
    refused("x32", "--as user forge x32", "refused ENOSYS", &["--as user forge x32 --harmless"]),
    refused(
        "clone3-flags",
        "--as user forge clone-flags",
        "refused EINVAL",
        &["--as user forge clone-flags --harmless"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_that_is_refused_has_a_control() {
        assert!(ATTEMPTS.len() >= 25, "{} attempts", ATTEMPTS.len());
        for attempt in ATTEMPTS {
            assert_ne!(attempt.answer, "done", "{}", attempt.name);
            assert!(!attempt.controls.is_empty(), "{} has no control", attempt.name);
            assert!(!attempt.controls.contains(&attempt.attempt), "{} is its own control", attempt.name);
        }
        let mut names: Vec<_> = ATTEMPTS.iter().map(|attempt| attempt.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ATTEMPTS.len());
    }
}
