# `services.ukl.NAME`: an application in the running kernel, as a service beside all others.
{ scopeFor, rust-overlay }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  ukl = scopeFor (pkgs.extend rust-overlay.overlays.default);
  services = config.services.ukl;
  first = builtins.head (builtins.attrValues services);
  # The images' kernel lacks what systemd wants; this one is linked the same way.
  linked =
    let
      image = ukl.image first.app first.level;
    in
    ukl.kernel.kernelWith {
      flavour = image.level.kernel;
      fragments = [
        "systemd"
        "nixos"
      ];
      app = image.object;
    };
in
{
  options.services.ukl = lib.mkOption {
    default = { };
    description = "Applications that run in the kernel. A kernel has one; several services may run it.";
    type = lib.types.attrsOf (
      lib.types.submodule {
        options = {
          app = lib.mkOption {
            type = lib.types.str;
            example = "redis";
            description = "The application: a folder of apps/.";
          };
          level = lib.mkOption {
            type = lib.types.str;
            default = "byb";
            description = "The level: a file of kernel/levels.";
          };
          args = lib.mkOption {
            type = lib.types.listOf lib.types.str;
            default = [ ];
            description = "Its arguments.";
          };
        };
      }
    );
  };

  config = lib.mkIf (services != { }) {
    assertions = lib.mapAttrsToList (name: service: {
      assertion = service.app == first.app && service.level == first.level;
      message = "services.ukl.${name} wants ${service.app} at ${service.level}, but the kernel has ${first.app} at ${first.level}";
    }) services;

    boot = {
      kernelPackages = lib.mkForce (pkgs.linuxPackagesFor linked);
      # Everything is built in.
      initrd.includeDefaultModules = false;
      initrd.availableKernelModules = lib.mkForce [ ];
      initrd.kernelModules = lib.mkForce [ ];
      kernelModules = lib.mkForce [ ];
    };

    systemd.services = lib.mapAttrs' (
      name: service:
      lib.nameValuePair "ukl-${name}" {
        description = "${service.app} in the kernel, at level ${service.level}";
        wantedBy = [ "multi-user.target" ];
        after = [ "network.target" ];
        serviceConfig = {
          # The store's files belong to root and nobody may write to them, as the kernel demands of such a file.
          ExecStart = lib.escapeShellArgs (
            [
              (pkgs.writeTextFile {
                name = service.app;
                text = "#UKL ${service.app}\n";
                executable = true;
              })
            ]
            ++ service.args
          );
          StateDirectory = "ukl-${name}";
          WorkingDirectory = "/var/lib/ukl-${name}";
        };
      }
    ) services;
  };
}
