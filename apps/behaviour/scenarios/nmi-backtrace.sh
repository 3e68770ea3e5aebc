#!/bin/sh
# Non-maskable interrupts meet a running application: each SysRq "l" sends one to every other CPU. On a single CPU the
# kernel dumps without an NMI; the harness then injects NMIs from outside the machine instead.
# $1: the program, /usr/bin/behaviour by default.
program=${1:-/usr/bin/behaviour}
rounds=40

[ -w /proc/sysrq-trigger ] || { echo "compared: DIFFERS: /proc/sysrq-trigger is missing, expected CONFIG_MAGIC_SYSRQ"; exit 1; }
# The dumps go to the kernel log only: a serial console would take seconds for each.
dmesg -n 1
echo 1 > /proc/sys/kernel/sysrq
$program run signal-storm > /tmp/nmi.out 2>&1 &
storm=$!
sent=0
while [ $sent -lt $rounds ]; do
	echo l > /proc/sysrq-trigger && sent=$((sent + 1))
	usleep 20000 2>/dev/null
done
wait $storm
status=$?
cat /tmp/nmi.out
echo "compared: backtraces of all CPUs $sent, expected $rounds; signal-storm beside them ended with $status, expected 0"
[ $sent -eq $rounds ] && [ $status -eq 0 ]
