# NixOS twice: a Redis in the kernel of one machine, its clients on the other.
{
  lib,
  pkgs,
  module,
  ...
}:
let
  port = 6379;
in
pkgs.testers.runNixOSTest {
  name = "ukl-two-machines";
  nodes = {
    server =
      { ... }:
      {
        imports = [ module ];
        services.ukl.redis = {
          app = "redis";
          level = "byb";
          args = [
            "--port"
            (toString port)
            "--bind"
            "0.0.0.0"
            # The network is the test's own.
            "--protected-mode"
            "no"
          ];
        };
        networking.firewall.allowedTCPPorts = [ port ];
        # The test's processor may need retpolines, which the application lacks: docs/security.md.
        boot.kernelParams = [ "ukl.unmitigated" ];
      };
    client =
      { pkgs, ... }:
      {
        environment.systemPackages = [ pkgs.redis ];
      };
  };
  testScript = ''
    start_all()
    server.wait_for_unit("ukl-redis.service")
    server.wait_for_open_port(${toString port})
    client.wait_for_unit("multi-user.target")
    redis = "redis-cli -h server -p ${toString port} "
    client.succeed(redis + "SET greeting hello")
    assert client.succeed(redis + "GET greeting").strip() == "hello"
    client.succeed("redis-benchmark -h server -p ${toString port} -c 50 -n 5000 -t set,get -q")
    # Its end is no end of the machine, and it can be started again.
    server.succeed("systemctl kill --signal=SEGV ukl-redis")
    server.wait_until_fails("systemctl is-active ukl-redis")
    server.succeed("systemctl start ukl-redis")
    server.wait_for_open_port(${toString port})
    client.succeed(redis + "PING")
    server.fail("dmesg --level=emerg,alert,crit | grep .")
  '';
  meta = {
    description = "Clients on one machine, a Redis in the kernel of the other";
    platforms = lib.platforms.linux;
  };
}
