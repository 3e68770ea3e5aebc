# The applications' compiler, as the part toolchain/ of UKL_PREBUILT, from the two builds of the C library and the runtime.
{
  part,
  pin,
  kernel,
  rustToolchain,
  xtask,
}:
let
  musl =
    flavour: description:
    part {
      name = "musl/${flavour}";
      inherit description;
      product = "lib/libc.a";
      paths = [
        "app-runtime/musl.toml"
        "app-runtime/musl"
      ];
      needs = [ (pin ./musl.toml) ];
    };
  musl-process = musl "process" "musl as published, for ordinary processes";
  musl-kernel = musl "kernel" "musl for programs that are linked into the kernel";
  toolchain = part {
    name = "toolchain";
    description = "Compiler and C library of programs that are linked into the kernel";
    product = "ukl/lib/libukl.a";
    paths = [ "app-runtime" ];
    needs = [
      musl-process
      musl-kernel
      kernel.headers
      kernel.sources.vanilla
      # For bin/ukl-ld.
      xtask
    ];
    tools = [ rustToolchain ];
  };
  cxx = part {
    name = "cxx";
    description = "The C++ library of programs that are linked into the kernel";
    product = "lib/libstdc++.a";
    paths = [ "app-runtime" ];
    needs = [
      toolchain
      (pin ./cxx/gcc.toml)
    ];
  };
in
toolchain // { inherit musl-process musl-kernel cxx; }
