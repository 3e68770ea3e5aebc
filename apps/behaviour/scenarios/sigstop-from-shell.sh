#!/bin/sh
# A shell stops and continues a running instance and sees its state change.
# $1: the program, /usr/bin/behaviour by default.
program=${1:-/usr/bin/behaviour}
state() { sed 's/.*) //; s/ .*//' /proc/$1/stat 2>/dev/null; }

$program helper storm 5 2000 > /tmp/sigstop.out &
pid=$!
sleep 1
kill -STOP $pid
usleep 200000 2>/dev/null || sleep 1
stopped=$(state $pid)
before=$(cat /proc/$pid/stat | cut -d' ' -f14,15)
sleep 1
after=$(cat /proc/$pid/stat | cut -d' ' -f14,15)
kill -CONT $pid
usleep 100000 2>/dev/null
running=$(state $pid)
wait $pid
status=$?
wrong=$(cut -d' ' -f1 /tmp/sigstop.out)
echo "compared: state after SIGSTOP $stopped, expected T; CPU time while stopped $before then $after, expected the same;" \
	"state after SIGCONT $running, expected not T; exit code $status, expected 0; mismatches $wrong, expected 0"
[ "$stopped" = T ] && [ "$before" = "$after" ] && [ "$running" != T ] && [ $status -eq 0 ] && [ "$wrong" = 0 ]
