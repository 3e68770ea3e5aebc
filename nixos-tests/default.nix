# The scenarios of this folder, one a file.
{
  pkgs,
  ukl,
  module,
}:
let
  inherit (pkgs) lib;

  # Commands over machines that boot these images; they may name `xtask`, and have to succeed.
  vmTest =
    {
      name,
      description,
      images,
      # Parts beside those of the images.
      parts ? [ ],
      commands,
    }:
    pkgs.runCommand "ukl-test-${name}"
      {
        nativeBuildInputs = [
          ukl.xtask
          pkgs.binutils
          pkgs.e2fsprogs
          pkgs.qemu
        ];
        env = {
          UKL_PREBUILT = lib.concatStringsSep ":" (
            lib.unique (lib.concatMap (image: image.needs) images ++ parts)
          );
          UKL_REPO = "${ukl.tree [
            "app-runtime"
            "apps"
            "guest"
            "kernel"
            "machines"
          ]}";
        };
        meta = ukl.meta description;
      }
      ''
        export HOME=$NIX_BUILD_TOP UKL_CACHE=$NIX_BUILD_TOP/cache
        set -o pipefail
        {
        ${commands}
        } | tee log
        # A check that compared nothing is none.
        grep --quiet passed log
        mkdir $out
        cp log $out/
      '';

  scenarios = lib.filterAttrs (
    file: type: type == "regular" && lib.hasSuffix ".nix" file && file != "default.nix"
  ) (builtins.readDir ./.);
in
lib.mapAttrs' (
  file: _:
  lib.nameValuePair (lib.removeSuffix ".nix" file) (
    import (./. + "/${file}") {
      inherit
        lib
        pkgs
        ukl
        module
        vmTest
        ;
    }
  )
) scenarios
