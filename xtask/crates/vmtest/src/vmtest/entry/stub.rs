//! QEMU's stub for debuggers: as much of gdb's remote protocol as it takes to stop at a place and change memory.

use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long QEMU may take to make its socket, and the machine to come by a breakpoint.
const DEADLINE: Duration = Duration::from_secs(120);
/// The number of RSP in the list of registers.
const RSP: usize = 7;

/// A machine that waits.
#[derive(Debug)]
pub(super) struct Stub {
    stream: UnixStream,
    breakpoint: Option<u64>,
}

impl Stub {
    /// Connects to a machine that QEMU is starting; it has not executed an instruction yet.
    pub(super) fn connect(socket: &Path) -> Result<Self> {
        let start = Instant::now();
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(DEADLINE)).context("setting a time limit")?;
                    return Ok(Stub { stream, breakpoint: None });
                }
                Err(error) if start.elapsed() > DEADLINE => {
                    return Err(error).with_context(|| format!("connecting to {}", socket.display()));
                }
                Err(error) => {
                    ensure!(
                        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused),
                        "connecting to {}: {error}",
                        socket.display()
                    );
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// The one breakpoint, on an instruction.
    pub(super) fn set_breakpoint(&mut self, address: u64) -> Result<()> {
        self.done(&format!("Z1,{address:x},1"))?;
        self.breakpoint = Some(address);
        Ok(())
    }

    /// Runs the machine until it comes by the breakpoint.
    pub(super) fn resume_until_stop(&mut self) -> Result<()> {
        let answer = self.command("c").context("waiting for the breakpoint")?;
        ensure!(answer.starts_with('T'), "the machine answered {answer:?} to \"go on\"; a stop was expected");
        Ok(())
    }

    pub(super) fn remove_breakpoint(&mut self) -> Result<()> {
        let address = self.breakpoint.take().context("no breakpoint is set")?;
        self.done(&format!("z1,{address:x},1"))
    }

    /// Lets the machine run.
    pub(super) fn go_on(&mut self) -> Result<()> {
        self.send("c")
    }

    /// RSP.
    pub(super) fn stack_pointer(&mut self) -> Result<u64> {
        let registers = self.command("g")?;
        number(registers.get(RSP * 16..(RSP + 1) * 16).unwrap_or_default())
    }

    /// Eight bytes of memory, as what runs sees it.
    pub(super) fn read(&mut self, address: u64) -> Result<u64> {
        let answer = self.command(&format!("m{address:x},8"))?;
        number(&answer).with_context(|| format!("reading memory at {address:#x}"))
    }

    /// One byte.
    pub(super) fn write(&mut self, address: u64, byte: u8) -> Result<()> {
        self.done(&format!("M{address:x},1:{byte:02x}"))
    }

    fn done(&mut self, command: &str) -> Result<()> {
        let answer = self.command(command)?;
        ensure!(answer == "OK", "QEMU's stub answered {answer:?} to `{command}`");
        Ok(())
    }

    fn command(&mut self, command: &str) -> Result<String> {
        self.send(command)?;
        self.answer().with_context(|| format!("the answer to `{command}`"))
    }

    fn send(&mut self, command: &str) -> Result<()> {
        self.stream.write_all(packet(command).as_bytes()).with_context(|| format!("sending `{command}`"))
    }

    /// The next packet, which is acknowledged.
    fn answer(&mut self) -> Result<String> {
        let mut text = Vec::new();
        while self.byte()? != b'$' {}
        loop {
            match self.byte()? {
                b'#' => break,
                byte => text.push(byte),
            }
        }
        let sum = [self.byte()?, self.byte()?];
        let text = String::from_utf8(text).context("a packet is no text")?;
        if !packet(&text).as_bytes().ends_with(&sum) {
            bail!("the packet {text:?} has another sum than {sum:?}");
        }
        self.stream.write_all(b"+").context("acknowledging")?;
        Ok(text)
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).context("reading from QEMU's stub")?;
        Ok(byte[0])
    }
}

/// `$TEXT#SUM`.
fn packet(text: &str) -> String {
    let sum = text.bytes().fold(0_u8, u8::wrapping_add);
    format!("${text}#{sum:02x}")
}

/// Eight bytes in hexadecimal, the lowest first.
fn number(text: &str) -> Result<u64> {
    ensure!(text.len() == 16, "{text:?} is not eight bytes in hexadecimal");
    let value = u64::from_str_radix(text, 16).with_context(|| format!("{text:?} is not eight bytes in hexadecimal"))?;
    Ok(value.swap_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_their_sum() {
        assert_eq!(packet("OK"), "$OK#9a");
        assert_eq!(packet("m0,8"), "$m0,8#01");
    }

    #[test]
    fn numbers_have_the_lowest_byte_first() {
        assert_eq!(number("3300000000000080").unwrap(), 0x8000_0000_0000_0033);
        assert!(number("33").is_err() && number("E14").is_err());
    }

    #[test]
    fn a_stub_is_asked_and_answers() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut stub = Stub { stream: ours, breakpoint: None };
        theirs.write_all(format!("+{}+{}", packet("OK"), packet("3300000000000000")).as_bytes()).unwrap();
        stub.set_breakpoint(0xffff_ffff_8180_0000).unwrap();
        assert_eq!(stub.read(16).unwrap(), 0x33);
        let mut said = [0; 100];
        let size = theirs.read(&mut said).unwrap();
        let expected = format!("{}+{}+", packet("Z1,ffffffff81800000,1"), packet("m10,8"));
        assert_eq!(String::from_utf8_lossy(&said[..size]), expected);
    }
}
