# The QEMU plug-in, as the part counter/ of UKL_PREBUILT.
{
  craneLib,
  xtask,
  meta,
}:
craneLib.buildPackage (
  xtask.crate
  // {
    pname = "ukl-counter";
    cargoBuildCommand = "cargo rustc --release --lib --crate-type cdylib";
    cargoExtraArgs = "--locked --package ukl-counter";
    doCheck = false;
    doNotPostBuildInstallCargoBinaries = true;
    installPhaseCommand = "install -D -t $out/counter target/release/libukl_counter.so";
    meta = meta "QEMU plug-in that counts the instructions of each task";
  }
)
