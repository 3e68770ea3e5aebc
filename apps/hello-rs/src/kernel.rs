//! What the crate `ukl` says and does; in an ordinary process the same with other answers.

use crate::{Outcome, same};
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use ukl::{Call, Errno, NoSuchPath, Path};

/// Every path, from the longest to the shortest.
const PATHS: [Path; 3] = [Path::Full, Path::Direct, Path::Shortcut];

/// The paths that the level has by the options of its file. The host's tests put the names of those that are on into
/// `LEVEL_OPTIONS`. A run by hand has no such variable; it takes what can be chosen for what the level has.
fn paths() -> Result<Vec<Path>, NoSuchPath> {
    let first = ukl::path(Call::SENDTO)?;
    let options = std::env::var("LEVEL_OPTIONS").ok();
    let has = |path: &Path| match (&options, path) {
        (Some(_), Path::Full) => true,
        (Some(options), Path::Direct) => options.contains("bypass"),
        (Some(options), Path::Shortcut) => options.contains("shortcut"),
        (None, path) => ukl::set_path(Call::SENDTO, *path).is_ok(),
    };
    let there = PATHS.into_iter().filter(has).collect();
    ukl::set_path(Call::SENDTO, first)?;
    Ok(there)
}

/// The level and the privilege level belong together, and the clock agrees with the standard library's.
pub fn know_the_level() -> Outcome {
    let level = ukl::level();
    same("whether it runs in the kernel", ukl::in_kernel(), level != "linux")?;
    let (start, before) = (Instant::now(), ukl::monotonic());
    std::thread::sleep(Duration::from_millis(20));
    let (passed, outer) = (ukl::monotonic() - before, start.elapsed());
    same("whether the clock went on", passed >= Duration::from_millis(20) && passed <= outer, true)?;
    Ok(format!("level {level} with privilege level {}, and two clocks", if ukl::in_kernel() { 0 } else { 3 }))
}

/// Every path of the level carries the same bytes and the same errors; those that it has not are refused.
pub fn send_by_every_path() -> Outcome {
    let there = paths()?;
    let first = ukl::path(Call::SENDTO)?;
    same("the path at start", Some(&first), there.last())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (one, other) = (TcpStream::connect(listener.local_addr()?)?, listener.accept()?.0);
    let mut buffer = [0; 64];
    for path in PATHS {
        let chosen = [Call::SENDTO, Call::RECVFROM].map(|call| ukl::set_path(call, path).is_ok());
        same(&format!("whether the level has {path:?}"), chosen, [there.contains(&path); 2])?;
        if chosen == [true; 2] {
            same("the path that was chosen", ukl::path(Call::SENDTO)?, path)?;
        }
        same("receiving nothing", ukl::try_recv(&other, &mut buffer), Err(Errno::WOULD_BLOCK))?;
        let text = format!("bytes by {path:?}");
        same("what was sent", ukl::send(&one, text.as_bytes())?, text.len())?;
        let length = ukl::recv(&other, &mut buffer)?;
        same("what arrived", buffer.get(..length), Some(text.as_bytes()))?;
        same("a bad descriptor", ukl::send(-1, b"x"), Err(Errno::BAD_DESCRIPTOR))?;
    }
    ukl::set_path(Call::SENDTO, first)?;
    ukl::set_path(Call::RECVFROM, first)?;
    (&one).write_all(b"by the standard library")?;
    same("its length", ukl::recv(&other, &mut buffer)?, 23)?;
    one.shutdown(Shutdown::Both)?;
    same("after the end", (ukl::recv(&other, &mut buffer), ukl::send(&one, b"x")), (Ok(0), Err(Errno::BROKEN_PIPE)))?;
    Ok(format!("bytes and errors on {} of 3 paths with what they are on any", there.len()))
}
