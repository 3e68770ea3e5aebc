#!/bin/sh
# A shell ends running instances: SIGTERM and SIGKILL, computing and blocked, and nothing of them stays.
# $1: the program, /usr/bin/behaviour by default.
program=${1:-/usr/bin/behaviour}
failed=0
report=

for signal in TERM:143 KILL:137 SEGV:139; do
	for kind in storm hold; do
		if [ $kind = storm ]; then
			$program helper storm 5 20000 > /dev/null &
		else
			mkfifo /tmp/kill.fifo 2>/dev/null
			$program helper hold 7 < /tmp/kill.fifo > /dev/null &
		fi
		pid=$!
		[ $kind = hold ] && exec 9> /tmp/kill.fifo
		usleep 300000 2>/dev/null || sleep 1
		kill -${signal%:*} $pid
		wait $pid
		status=$?
		[ $kind = hold ] && exec 9>&-
		[ $status -eq ${signal#*:} ] && [ ! -e /proc/$pid ] || failed=1
		report="$report; $kind after SIG${signal%:*} gave $status, expected ${signal#*:}"
	done
done
rm -f /tmp/kill.fifo
echo "compared:${report#;}; no /proc entry left"
[ $failed -eq 0 ]
