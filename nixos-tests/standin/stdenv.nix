# mkDerivation: the usual phases over the host's programs, of which a build sees the usual ones and what it declares.
{ lib, tools }:
let
  # What is no variable of the build.
  ours = [
    "env"
    "meta"
    "passthru"
    "outputs"
  ];
  inputs = attrs: lib.flatten ((attrs.nativeBuildInputs or [ ]) ++ (attrs.buildInputs or [ ]));

  mkDerivation =
    given:
    let
      attrs = if builtins.isFunction given then given attrs else given;
      name = attrs.name or "${attrs.pname}-${attrs.version}";
      refused = builtins.attrNames (builtins.intersectAttrs (attrs.env or { }) attrs);
      drv = derivation (
        builtins.removeAttrs attrs ours
        // attrs.env or { }
        // {
          inherit name;
          system = "x86_64-linux";
          builder = "/bin/bash";
          args = [
            "-e"
            ./setup.sh
          ];
          outputs = attrs.outputs or [ "out" ];
          standardPath = "${tools}/bin";
          inputPath = lib.makeBinPath (inputs attrs);
          # As the real one does unless it is told otherwise.
          configureFlags =
            lib.optional (!(attrs.dontDisableStatic or false)) "--disable-static"
            ++ attrs.configureFlags or [ ];
        }
      );
    in
    if refused != [ ] then
      throw "${name}: both in env and beside it: ${toString refused}"
    else if !(attrs ? meta.description) && attrs ? meta then
      throw "${name}: meta has no description"
    else
      drv
      // attrs.passthru or { }
      // {
        inherit name;
        meta = attrs.meta or { };
        overrideAttrs =
          change: mkDerivation (attrs // (if builtins.isFunction change then change attrs else change));
      };
in
{
  inherit mkDerivation;
  cc = tools;
}
