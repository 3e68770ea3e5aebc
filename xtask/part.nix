# A part of an image, such as `toolchain` or `object/redis/byb`, built by the same code as without Nix: `xtask part`.
{
  lib,
  runCommandCC,
  xtask,
  tree,
  meta,
}:
{
  # What `xtask part` calls it, and what UKL_PREBUILT finds it under.
  name,
  description,
  # Paths of the checkout that it is made from, beside the manifests that every part reads.
  paths ? [ ],
  # The checkout, where it is not made of `paths`.
  repo ? tree (
    [
      "kernel/kernel.toml"
      "kernel/levels"
    ]
    ++ paths
  ),
  # Parts that it is made from.
  needs ? [ ],
  tools ? [ ],
  options ? [ ],
  # A file of it that must be there and not be empty.
  product,
}:
runCommandCC "ukl-${lib.replaceStrings [ "/" ] [ "-" ] name}"
  {
    nativeBuildInputs = [ xtask ] ++ tools;
    # The flags of a distribution's compiler are for processes; what is linked into a kernel has its own.
    hardeningDisable = [ "all" ];
    env = {
      UKL_PREBUILT = lib.concatStringsSep ":" needs;
      UKL_REPO = "${repo}";
    };
    meta = meta description;
    passthru.file = "${name}/${product}";
  }
  ''
    export HOME=$NIX_BUILD_TOP UKL_CACHE=$NIX_BUILD_TOP/cache
    unset SOURCE_DATE_EPOCH
    mkdir $out
    xtask --jobs "$NIX_BUILD_CORES" part ${lib.escapeShellArgs ([ name ] ++ options)} $out
    if [ ! -s $out/${name}/${product} ]; then echo "${name} was built without its ${product}"; exit 1; fi
  ''
