# The load generator for the guest, linked statically, as the part loadgen/ of UKL_PREBUILT.
{
  craneLib,
  xtask,
  meta,
}:
let
  target = "x86_64-unknown-linux-musl";
in
craneLib.buildPackage (
  xtask.crate
  // {
    pname = "ukl-loadgen";
    cargoExtraArgs = "--locked --package ukl-loadgen --target ${target}";
    doCheck = false;
    doNotPostBuildInstallCargoBinaries = true;
    installPhaseCommand = "install -D -t $out/loadgen target/${target}/release/ukl-loadgen";
    meta = meta "Load generator for Redis and memcached";
  }
)
