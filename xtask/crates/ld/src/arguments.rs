//! What the arguments of a link mean, and those of the second one.

use std::path::Path;

/// Options of a final link that have no meaning in a partial one.
const DROPPED: &[&str] = &[
    "-static",
    "-Bstatic",
    "-Bdynamic",
    "-Bsymbolic",
    "-Bsymbolic-functions",
    "-pie",
    "-no-pie",
    "--eh-frame-hdr",
    "--gc-sections",
    "--print-gc-sections",
    "--export-dynamic",
    "-export-dynamic",
    "-E",
    "-s",
    "--strip-all",
    "-S",
    "--strip-debug",
    "--as-needed",
    "--no-as-needed",
    "--no-undefined",
    "--cref",
    "--relax",
];
/// The same for options whose value is in the next argument.
const DROPPED_WITH_VALUE: &[&str] = &[
    "-o",
    "-e",
    "--entry",
    "-Map",
    "-dynamic-linker",
    "-plugin",
    "-soname",
    "-h",
    "-rpath",
    "-rpath-link",
    "--version-script",
    "--dynamic-list",
    "-T",
    "-z",
];
/// The same for options whose value is in the same argument.
const DROPPED_PREFIXES: &[&str] = &[
    "-plugin-opt=",
    "--build-id",
    "--hash-style=",
    "-Map=",
    "-O",
    "--sort-",
    "-rpath=",
    "-rpath-link=",
    "--version-script=",
    "--dynamic-list=",
];
/// Where this machine keeps what its own programs are linked with: made for another C library and code model. gcc names
/// these folders in each link by itself.
const OF_THE_HOST: &[&str] = &["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64"];

/// The arguments of the program's own link: without the folders of the host's libraries.
pub(crate) fn of_the_program(arguments: &[String]) -> Vec<String> {
    let host = |argument: &String| {
        // gcc writes `/usr/lib/gcc/x86_64-linux-gnu/12/../../../x86_64-linux-gnu`, which need not be resolved to be known.
        let folder = argument.strip_prefix("-L").map(|folder| folder.trim_end_matches('/'));
        folder.is_some_and(|folder| {
            OF_THE_HOST.iter().any(|host| folder.strip_prefix(host).is_some_and(|r| r.is_empty() || r.starts_with('/')))
        })
    };
    arguments.iter().filter(|argument| !host(argument)).cloned().collect()
}

/// Whether the link makes a shared library.
pub(crate) fn makes_shared_library(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| ["-shared", "-Bshareable"].contains(&argument.as_str()))
}

/// The output of a link that makes a program; `None` for a partial link or a question (`--version`).
pub(crate) fn program(arguments: &[String]) -> Option<&str> {
    let other = ["-r", "--relocatable", "--version", "-v", "--help"];
    if arguments.iter().any(|argument| other.contains(&argument.as_str())) {
        return None;
    }
    // gcc asks what a link would do by linking to /dev/null.
    output(arguments).filter(|output| !output.starts_with("/dev/"))
}

/// The file that a link is to write.
pub(crate) fn output(arguments: &[String]) -> Option<&str> {
    let place = arguments.iter().position(|argument| argument == "-o")?;
    arguments.get(place + 1).map(String::as_str)
}

/// The inputs of a final link for the partial one: our libraries in place of the process's, no start files.
pub(crate) fn of_the_object(arguments: &[String], toolchain: &Path) -> Vec<String> {
    let process = format!("{}/linux/", toolchain.display());
    let kernel = format!("{}/ukl/", toolchain.display());
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let start_file = argument.starts_with(&process) && argument.ends_with(".o");
        if DROPPED_WITH_VALUE.contains(&argument.as_str()) {
            rest.next();
        } else if !start_file
            && !DROPPED.contains(&argument.as_str())
            && !DROPPED_PREFIXES.iter().any(|prefix| argument.starts_with(prefix))
        {
            kept.push(argument.replace(&process, &kernel));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_final_link_becomes_a_partial_one() {
        let link = "-plugin x.so -plugin-opt=-pass-through=-lc -m elf_x86_64 -static -L/t/linux/lib -z noexecstack \
                    -o prog /t/linux/lib/crt1.o a.o -Lfoo --no-undefined -rpath /usr/local/lib --start-group -lc -lukl \
                    --end-group /gcc/libgcc.a /t/linux/lib/crtn.o";
        let partial = of_the_object(&words(link), Path::new("/t")).join(" ");
        insta::assert_snapshot!(partial, @"-m elf_x86_64 -L/t/ukl/lib a.o -Lfoo --start-group -lc -lukl --end-group /gcc/libgcc.a");
    }

    #[test]
    fn only_a_link_that_makes_a_program_is_doubled() {
        assert_eq!(program(&words("-static -o prog a.o")), Some("prog"));
        assert_eq!(program(&words("-r -o all.o a.o")), None);
        assert_eq!(program(&words("--version")), None);
        assert_eq!(program(&words("-o /dev/null a.o")), None);
        assert!(makes_shared_library(&words("-shared -o lib.so a.o")));
    }

    #[test]
    fn the_hosts_libraries_are_not_searched() {
        let link =
            "-L/usr/lib/gcc/x86_64-linux-gnu/12 -L/usr/lib/../lib -L/lib/x86_64-linux-gnu -L/usr/library -L. -lz";
        insta::assert_snapshot!(of_the_program(&words(link)).join(" "), @"-L/usr/library -L. -lz");
    }
}
