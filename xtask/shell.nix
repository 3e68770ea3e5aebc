# Everything that `cargo xtask` calls.
{
  mkShell,
  kernel,
  rustToolchain,
  qemu,
  passt,
  e2fsprogs,
}:
mkShell {
  packages = kernel.tools ++ [
    rustToolchain
    qemu
    passt
    e2fsprogs
  ];
  # The tools above are the machine's; nothing is installed.
  hardeningDisable = [ "all" ];
}
