# NixOS with systemd, sshd and an ordinary Redis, beside a Redis in the kernel.
{
  lib,
  pkgs,
  module,
  ...
}:
let
  linked = 6379;
  ordinary = 6380;
in
pkgs.testers.runNixOSTest {
  name = "ukl-coexist";
  nodes.machine =
    { pkgs, ... }:
    {
      imports = [ module ];
      services = {
        ukl.redis = {
          app = "redis";
          level = "byb";
          args = [
            "--port"
            (toString linked)
          ];
        };
        redis.servers.ordinary = {
          enable = true;
          port = ordinary;
        };
        openssh.enable = true;
      };
      environment.systemPackages = [
        pkgs.redis
        pkgs.procps
      ];
      virtualisation.memorySize = 2048;
      # The test's processor may need retpolines, which the application lacks: docs/security.md.
      boot.kernelParams = [ "ukl.unmitigated" ];
    };
  testScript = ''
    machine.wait_for_unit("multi-user.target")
    for unit in ["ukl-redis", "redis-ordinary", "sshd"]:
        machine.wait_for_unit(f"{unit}.service")
    for port in [${toString linked}, ${toString ordinary}]:
        machine.wait_for_open_port(port)
        machine.succeed(f"redis-cli -p {port} SET port {port}")
    for port in [${toString linked}, ${toString ordinary}]:
        # Two servers: what one was told the other does not know.
        assert machine.succeed(f"redis-cli -p {port} GET port").strip() == str(port)
    pid = machine.succeed("systemctl show --property MainPID --value ukl-redis").strip()
    assert pid in machine.succeed("top -b -n 1 -p " + pid)
    machine.succeed("systemctl restart ukl-redis")
    machine.wait_for_open_port(${toString linked})
    machine.fail("dmesg --level=emerg,alert,crit | grep .")
  '';
  meta = {
    description = "A Redis in the kernel beside systemd, sshd and an ordinary Redis";
    platforms = lib.platforms.linux;
  };
}
