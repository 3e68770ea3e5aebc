# Each library of this folder, as the part library/NAME of UKL_PREBUILT.
{
  lib,
  part,
  pin,
  tomlFiles,
  app-runtime,
}:
lib.mapAttrs (
  name: file:
  let
    manifest = builtins.fromTOML (builtins.readFile file);
  in
  part {
    name = "library/${name}";
    description = manifest.summary;
    product = builtins.head manifest.build.archives;
    paths = [ "apps/libraries/${name}.toml" ];
    needs = [
      app-runtime
      (pin file)
    ];
  }
) (tomlFiles ./.)
