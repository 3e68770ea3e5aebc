//! `@NAME@ WHO` greets, and says where it runs. `cargo run -- WHO` does so in an ordinary process.

fn main() {
    let who = std::env::args().nth(1).unwrap_or_else(|| "nobody".to_owned());
    let place = if ukl::in_kernel() { "inside the kernel" } else { "in a process" };
    println!("hello, {who}, from {place} at level {}", ukl::level());
}
