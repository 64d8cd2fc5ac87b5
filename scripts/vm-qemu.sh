# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # variables of scripts/vm
#
# The machine of scripts/vm as a QEMU one with a stock Debian kernel: directories are shared over 9p,
# a command's output comes through a virtio port. KVM is used where it really runs a guest. Each
# backend defines
#   machine_modules   prints what the first file system loads, in this order
#   machine_prepare   finds what it needs and composes the machine, once
#   machine_run       runs it: 124 when time ran out, else a status that only a person reads

# Modules that find the root file system and the output port, in loading order
machine_modules()
{
	local name
	for name in virtio_pci 9pnet_virtio 9p overlay virtio_console virtio_rng; do
		modprobe -d "$kernel" -S "$release" --show-depends "$name"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

kvm_runs()
{
	timeout 10 qemu-system-x86_64 -accel kvm -cpu host -m 512 -nodefaults -display none \
		-no-reboot -kernel "$kernel/vmlinuz" -initrd "$initrd" \
		-append "shunt-probe panic=-1" </dev/null
}

# /dev/kvm may exist and still not run a guest (nested, restricted), so try it once per boot
pick_accel()
{
	local memo
	case ${SHUNT_ACCEL:-} in
	kvm | tcg) accel=$SHUNT_ACCEL; return ;;
	'') ;;
	*) die "SHUNT_ACCEL=$SHUNT_ACCEL: must be kvm or tcg" ;;
	esac
	memo=$CACHE/accel-$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -f "$memo" ]; then
		rm -f "$CACHE"/accel-*
		accel=tcg
		if [ -w /dev/kvm ] && (kvm_runs) >/dev/null 2>&1; then
			accel=kvm
		fi
		printf '%s\n' "$accel" >"$memo"
	fi
	accel=$(cat "$memo")
}

# share TAG DIRECTORY OPTIONS
share()
{
	qemu+=(-virtfs "local,path=$2,mount_tag=$1,security_model=none,multidevs=remap$3")
}

compose()
{
	# an emulated machine on a busy host may stand still for seconds; that is no kernel fault
	local params="console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off tsc=reliable"
	params+=" watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 no_timer_check shunt-vm"
	qemu=(qemu-system-x86_64 -name shunt -smp "$smp" -m "$mem" -nodefaults -display none
		-no-reboot -serial "file:$control/console" -monitor none
		-kernel "$kernel/vmlinuz" -initrd "$initrd"
		-append "$params release=$release $append"
		-device virtio-rng-pci -device virtio-serial-pci)
	if [ "$accel" = kvm ]; then
		qemu+=(-accel kvm -cpu host)
	else
		qemu+=(-accel 'tcg,thread=multi' -cpu max)
	fi
	share rootfs "$(realpath "$BUILD/rootfs")" ,readonly=on
	share modules "$(realpath "$kernel/modules")" ,readonly=on
	share shunt "$TOP" ,readonly=on
	share results "$(realpath "$results")" ''
	share control "$control" ''
	[ ! -d "$BUILD/linux" ] || share linux "$(realpath "$BUILD/linux")" ,readonly=on
	if [ -n "$shell" ]; then
		qemu+=(-chardev 'stdio,id=out,signal=off' -device 'virtconsole,chardev=out')
	else
		qemu+=(-chardev 'stdio,id=out' -device 'virtserialport,chardev=out,name=out')
	fi
}

machine_prepare()
{
	have qemu-system-x86_64 || die "qemu-system-x86_64 is missing (scripts/setup installs it)"
	pick_accel
	compose
}

# QEMU before 8.1 can let an emulated processor execute a breakpoint that the kernel's text patching
# has already taken away again (once in a hundred starts or so). Only the emulator is at fault then.
emulator_fault()
{
	[ "$accel" = tcg ] && grep -qE '(Oops: )?int3: 0000 \[#1\]' "$control/console"
}

run_once()
{
	local rc
	rm -f "$control"/{stdin,status,dmesg}
	: >"$control/console"
	if [ -n "$shell" ]; then
		"${qemu[@]}"
		return
	fi
	# the port closes when its standard input ends, and qemu makes both ends non-blocking,
	# which must not reach the caller's: hence an open fifo before and a pipe behind it
	mkfifo "$control/stdin"
	timeout -k 5 "$limit" "${qemu[@]}" <>"$control/stdin" |
		if [ -n "$output" ]; then cat >"$output"; else cat; fi
	rc=${PIPESTATUS[0]}
	[ "$rc" -ne 137 ] || rc=124
	return "$rc"
}

machine_run()
{
	local try rc
	for try in 1 2 3; do
		rc=0
		run_once || rc=$?
		if [ "$try" -eq 3 ] || ! emulator_fault; then
			break
		fi
		say "vm: the emulator broke a breakpoint (a fault of QEMU before 8.1); starting again"
	done
	return "$rc"
}
