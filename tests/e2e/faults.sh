# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# The faults of chaos.sh. fault_NAME STAGE breaks something; mend_NAME STAGE mends it, after the stage has let go of the job.
# allowed FAULT STAGE says which ends other than completion are right, as a regular expression of "STATE:REASON"; limit FAULT STAGE
# how long it may take.

ALL_FAULTS="kill-manager kill-cloud kill-gateway kill-device kill-all rst-direct rst-gateway rst-inner rst-manager
	lan-blip wan-blip lan-outage wan-outage nat-port nat-address disk-cloud disk-device expired no-dial clock-jump
	liar-claims liar-beyond liar-denies liar-connect liar-dies"

# What `make check` runs: each fault once where it hurts most.
SHORT=(kill-cloud/direct kill-gateway/tunnel kill-device/draining kill-device/executing kill-manager/waiting rst-direct/direct
	rst-inner/tunnel nat-port/tunnel disk-device/tunnel no-dial/tunnel)

# case_exists FAULT STAGE: not where the fault touches nothing that the stage has, or takes what it needs.
case_exists()
{
	case $1/$2 in
	rst-direct/uploading | rst-direct/waiting | rst-direct/opening | rst-direct/tunnel | rst-direct/requested) false ;;
	# a gateway that nobody wanted anything of yet has no connection to the cloud
	rst-gateway/uploading) false ;;
	rst-inner/uploading | rst-inner/waiting | rst-inner/opening | rst-inner/executing | rst-inner/unacknowledged) false ;;
	no-dial/tunnel | no-dial/requested) true ;;
	no-dial/*) false ;;
	# A liar stands in for an agent that holds the job and has not yet come to its end: before, there is nothing to lie
	# about, and what it says of the end nobody can check. The connect request comes while the job is in the tunnel.
	liar-*/uploading | liar-*/waiting | liar-*/executing | liar-*/unacknowledged) false ;;
	liar-connect/tunnel | liar-dies/tunnel) true ;;
	liar-connect/* | liar-dies/*) false ;;
	lan-outage/uploading | wan-outage/uploading) false ;;
	*) true ;;
	esac
}

allowed()
{
	case $1/$2 in
	kill-device/executing | kill-all/executing) echo 'interrupted:.+' ;;
	disk-cloud/*) echo 'failed:.*(space|room|full|disk)' ;;
	disk-device/*) echo 'failed:.*(space|room)' ;;
	*) echo 'never' ;;
	esac
}

# limit FAULT STAGE: seconds after which every job must have ended.
limit()
{
	case $1/$2 in
	# the tunnel follows at once, so that nobody in it is given up; a direct connection must be, after 25 s
	nat-*/waiting | nat-*/opening | nat-*/tunnel) echo 40 ;;
	*) echo 60 ;;
	esac
}

kill_program()
{
	kill -KILL "$(cat "$WORLD/pid/$1")"
	within 5 gone "$(cat "$WORLD/pid/$1")"
}

fault_kill-manager() { kill_program shunt-manager; }
mend_kill-manager() { run_manager; }
fault_kill-cloud() { kill_program shunt-cloud; }
mend_kill-cloud() { run_cloud 1; }
fault_kill-gateway() { kill_program shuntd; }
mend_kill-gateway() { run_gateway 1; }
fault_kill-device() { kill_program shunt-device; }
mend_kill-device() { run_device 1; }

fault_kill-all()
{
	local program

	for program in shunt-device shuntd shunt-cloud shunt-manager; do
		kill_program $program
	done
}

mend_kill-all()
{
	run_manager
	run_cloud 1
	run_gateway 1
	run_device 1
}

# cut_off HOST FILTER...: both ends of connections are reset (a middlebox that lost its state). Prints those that were.
cut_off()
{
	local host=$1

	shift
	in_ns "$host" ss -HtnK state established "$@" || die "ss -K does not work on this kernel"
}

# reset HOST FILTER...: as cut_off, where there must be a connection: a fault that breaks nothing proves nothing.
reset()
{
	local cut

	cut=$(cut_off "$@") || exit
	[ -n "$cut" ] || die "there was no connection to reset: $*"
	say "  reset: $(wc -l <<<"$cut") of $1"
}

fault_rst-direct() { reset mfp dst 203.0.113.10; }
mend_rst-direct() { :; }
fault_rst-gateway() { reset gw dst 203.0.113.10; }
mend_rst-gateway() { :; }
fault_rst-inner() { reset cloud src 100.64.0.0/16; }
mend_rst-inner() { :; }

fault_rst-manager()
{
	reset manager src 203.0.113.20
}
mend_rst-manager() { :; }

# ---- links ----

lan_link()
{
	ip -n gw link set to-mfp "$1"
}

# A bridge of the provider's that loses everything; taking the link down would lose the routes, too.
wan_cut()
{
	fault_table inet "prerouting:iifname \"to-gw\" drop" "postrouting:oifname \"to-gw\" drop"
}

fault_lan-blip() { lan_link down; sleep 3; }
mend_lan-blip() { lan_link up; }
fault_lan-outage() { lan_link down; sleep 60; }
mend_lan-outage() { lan_link up; }
fault_wan-blip() { wan_cut; sleep 3; }
mend_wan-blip() { drop_faults; }
fault_wan-outage() { wan_cut; sleep 60; }
mend_wan-outage() { drop_faults; }

# fault_table HOST CHAIN:RULE...: rules that break something; gone with drop_faults.
fault_table()
{
	nft_table fault "$@"
	echo "$1" >>"$WORLD/faults"
}

# A NAT in front of the gateway has forgotten the tunnels' flow: it maps their packets to another port from now on, and what comes
# to the old one is lost. There are many ports, as a flow of an earlier address of the gateway may still have the first.
fault_nat-port()
{
	fault_table inet "prerouting:ip saddr 203.0.113.10 ip daddr 198.51.100.0/24 udp dport 4500 drop"
	in_ns inet nft -f - <<-'END' || die "nft on inet"
		add chain inet fault nat { type nat hook postrouting priority srcnat; policy accept; }
		add rule inet fault nat ip saddr 198.51.100.0/24 udp sport 4500 snat ip to 203.0.113.1:21000-21999
	END
}
mend_nat-port() { :; }

# The provider gives the gateway another address: every connection through the NAT dies in silence, tunnels follow.
fault_nat-address()
{
	local old=2 new=3

	ip -n gw address show dev wan | grep -q 198.51.100.2/ || { old=3 new=2; }
	ip -n gw address del "198.51.100.$old/24" dev wan
	ip -n gw address add "198.51.100.$new/24" dev wan
	ip -n gw route replace default via 198.51.100.1
}
mend_nat-address() { :; }

# ---- disks ----

# State directories of cloud and device on file systems that can be filled.
chaos_disks()
{
	local program

	stop_all KILL
	for program in shunt-cloud shunt-device; do
		mountpoint -q "$WORLD/disk-$program" && umount "$WORLD/disk-$program"
		mkdir -p "$WORLD/disk-$program"
		mount -t tmpfs -o size=16M none "$WORLD/disk-$program"
		mkdir "$WORLD/disk-$program/state"
		chown nobody "$WORLD/disk-$program/state"
		conf $program state "\"$WORLD/disk-$program/state\""
	done
}

fill()
{
	head -c 64M /dev/zero >"$WORLD/disk-$1/fill" 2>/dev/null
	[ "$(df --output=avail "$WORLD/disk-$1" | tail -n 1)" -eq 0 ] || die "disk-$1 is not full"
}

fault_disk-cloud() { fill shunt-cloud; sleep 1; }
mend_disk-cloud() { rm "$WORLD/disk-shunt-cloud/fill"; }
fault_disk-device() { fill shunt-device; }

# It stays full until the job has ended one way or the other: the agent must not need luck.
mend_disk-device()
{
	[ -z "$VICTIM" ] || within 30 ended "$VICTIM"
	rm "$WORLD/disk-shunt-device/fill"
}

# ---- credentials and clocks ----

jump()
{
	date -s "$1" >/dev/null || die "the clock cannot be set"
}

# The clock of all hosts is years ahead, so every certificate has expired when the connections are made anew.
fault_expired()
{
	jump '+30 years'
	reset gw dst 203.0.113.20
	cut_off gw dst 203.0.113.10
	cut_off mfp dst 203.0.113.10
	cut_off cloud src 100.64.0.0/16
	within 10 grep -q 'expired' "$WORLD/log/shuntd" || say "  (nobody complained of an expired certificate)"
}
mend_expired() { jump '-30 years'; }

fault_clock-jump() { jump '+1 day'; sleep 1; jump '-2 days'; sleep 1; }
mend_clock-jump() { jump '+1 day'; }

# ---- devices ----

# It accepts the request and never connects, while the line is slow enough for the other job to need the slot; its job stays in the tunnel, and the other one waits for that.
fault_no-dial()
{
	fault_table gw "prerouting:iifname \"br-lan\" ip daddr 203.0.113.10 tcp dport 8443 drop"
	wan_rate 300kbit
	[ "$1" = requested ] || other
	await_job "$VICTIM" 'any(.timeline[]; .event == "move-failed")' "the move to fail"
}
mend_no-dial() { :; }

# liar_takes_over MODE: liar.c instead of the agent, at its address and with its certificate.
liar_takes_over()
{
	kill_program shunt-device
	ip netns exec mfp "$BIN/e2e/liar" "$1" "$(mfp_address 1):8632" "$WORLD/pki/ca.crt" "$WORLD/pki/device-mfp-1.crt" \
		"$WORLD/pki/device-mfp-1.key" >"$WORLD/log/liar" 2>&1 &
	echo $! >"$WORLD/pid/shunt-device"
	disown $!
	await 20 "the liar to listen" listening mfp "$(mfp_address 1):8632"
}

liar_said() { grep -q "^liar: $1" "$WORLD/log/liar"; }

# After the stage has let go: the lie must have been heard before the honest agent comes back.
mend_liar()
{
	await 30 "the lie ($1)" liar_said "$1"
	sleep 1
	kill_program shunt-device
	run_device 1
}

# The other job makes the gateway ask the device to connect while the victim has the only tunnel.
liar_asked()
{
	liar_takes_over "$1"
	await 20 "the victim to be with the liar" liar_said status
	other
}

fault_liar-claims() { liar_takes_over claims; }
mend_liar-claims() { mend_liar status; }
fault_liar-beyond() { liar_takes_over beyond; }
mend_liar-beyond() { mend_liar status; }
fault_liar-denies() { liar_takes_over denies; }
mend_liar-denies() { mend_liar "took it"; }
fault_liar-connect() { liar_asked connect; }
mend_liar-connect() { mend_liar connect; }
fault_liar-dies() { liar_asked dies; }
mend_liar-dies() { mend_liar "connected, and dies"; }
