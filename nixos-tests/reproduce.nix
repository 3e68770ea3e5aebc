# The image again from nothing, with one compiler at a time and at another time, is the same bytes.
{ pkgs, ukl, ... }:
let
  image = ukl.image "redis" "byb";
  again = image.kernel.overrideAttrs (old: {
    # Another derivation, so that it is built and not found; no objects of the first build.
    name = "${old.pname}-again-${old.version}";
    preBuild = "export NIX_BUILD_CORES=1";
  });
in
pkgs.runCommand "ukl-test-reproduce"
  { meta = ukl.meta "two builds of an image are the same bytes"; }
  ''
    cmp ${image.kernel}/bzImage ${again}/bzImage
    sha256sum ${image.kernel}/bzImage ${again}/bzImage > $out
  ''
