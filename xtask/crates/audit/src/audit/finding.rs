//! One reason against an object.

use std::fmt;

/// What is wrong; each kind has one remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A symbol that neither the application nor the exports list defines.
    UndefinedSymbol,
    /// `syscall`, `sysenter` or `int 0x80`.
    SyscallInstruction,
    /// An instruction that is privileged: it would work in ring 0 and change the machine.
    PrivilegedInstruction,
    /// Bytes that are no instruction where code must be.
    UnknownInstruction,
    /// Memory below rsp is used in a function that makes calls which push a return address there.
    RedZone,
    /// A relocation of the small, medium or large code model, or of position-independent code.
    CodeModel,
    /// A thread-local access that is not through %fs with a constant offset.
    ThreadLocal,
    /// A section that is writable and executable.
    WritableText,
    /// A section that app.lds does not place: the kernel's link would take it for the kernel's own.
    StraySection,
    /// A relocation the loader would have to apply to code at run time.
    IndirectFunction,
    /// Data that RIP-relative code cannot reach.
    Reach,
    /// Intermediate code of the compiler (LTO) instead of machine code.
    NotMachineCode,
}

impl Kind {
    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Kind::UndefinedSymbol => {
                "link the library that defines it, built with ukl-cc; the kernel's function of that name is another one"
            }
            Kind::SyscallInstruction => "call the C library's function, or syscall(), which goes where the level says",
            Kind::PrivilegedInstruction => {
                "remove it: a process would get SIGSEGV here, but in the kernel it takes effect on the whole machine"
            }
            Kind::UnknownInstruction => "put data into a data section; if it is code, assemble it for x86-64",
            Kind::RedZone => "compile the file with -mno-red-zone",
            Kind::CodeModel => "compile the file with ukl-cc, or with -mcmodel=kernel -fno-pic -fno-pie",
            Kind::ThreadLocal => "compile the file with ukl-cc, or with -fno-pic -ftls-model=local-exec",
            Kind::WritableText => "move the code to a section with flags \"ax\" and the data to one with \"aw\"",
            Kind::StraySection => {
                "leave the section attribute out, or name it .text.NAME, .rodata.NAME, .data.NAME or .bss.NAME"
            }
            Kind::IndirectFunction => "build without ifunc and without text relocations",
            Kind::Reach => "allocate large tables at run time (malloc, mmap) instead of in static storage",
            Kind::NotMachineCode => "compile without -flto",
        }
    }
}

/// Where in an object something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The symbol with offset, or the section.
    pub name: String,
    /// The section, and the offset in it in bytes, where there is one place to point at.
    pub at: Option<(String, u64)>,
    /// The object that the compiler made, when it is known which of them this part came from.
    pub object: Option<String>,
}

impl From<String> for Place {
    /// A place that has a name only.
    fn from(name: String) -> Self {
        Place { name, at: None, object: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Some(object) => write!(f, "{} in {object}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What is wrong, where, and about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub place: Place,
    /// What stands there.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.what, self.kind.remedy())
    }
}
