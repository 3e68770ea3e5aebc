//! What to do about a link that failed, in the words of someone who knows what this linker is for.

/// How to have libraries built so that they become part of the program.
const STATIC: &str = "--disable-shared (autoconf), -DBUILD_SHARED_LIBS=OFF (CMake), -Ddefault_library=static (meson)";

/// What the linker says, and what to do about it. The first that fits is the reason; what follows it is its echo.
const ADVICE: &[(&str, &str)] = &[
    (
        "attempted static link of dynamic object",
        "a shared library is loaded at run time, by a process; name its archive (libNAME.a), built with ukl-cc",
    ),
    (
        "cannot find -l",
        "there is no archive of that library built with ukl-cc; the host's own are for another C library. Build it with ukl-cc \
         and name its folder with -L, or build without it (docs/programs.md)",
    ),
    ("incompatible with i386:x86-64 output", "an object above is for another machine; compile it again with ukl-cc"),
    ("file in wrong format", "an object above is for another machine; compile it again with ukl-cc"),
    (
        "undefined reference to",
        "link the object or archive that defines the symbol, after those that use it. Names such as __printf_chk come from the \
         headers of the host's C library: compile that object with ukl-cc",
    ),
    (
        "relocation truncated to fit",
        "the program's static data is too large; allocate large tables with malloc or mmap",
    ),
];

/// What to do about the linker's complaints, if we know.
pub(crate) fn advice(complaints: &str) -> Option<&'static str> {
    ADVICE.iter().find(|(said, _)| complaints.contains(said)).map(|(_, advice)| *advice)
}

/// Why there is no shared library.
pub(crate) fn shared_library(output: &str) -> String {
    format!(
        "{output} would be a shared library, which nothing can load into a kernel\n next: build without it: {STATIC}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_complaint_has_its_remedy() {
        let said = |text: &str| advice(text).unwrap_or("nothing");
        assert!(said("ld: main.o: in function `main': undefined reference to `frob'").starts_with("link the object"));
        assert!(said("ld: cannot find -lssl: No such file or directory").contains("-L"));
        assert!(said("ld: attempted static link of dynamic object `libz.so'").contains("archive"));
        assert!(
            said("ld: i386 architecture of input file `a.o' is incompatible with i386:x86-64 output")
                .contains("machine")
        );
        assert_eq!(said("ld: warning: something else"), "nothing");
    }
}
