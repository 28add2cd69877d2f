#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots the newest kernels of some Debian suites under QEMU, runs the tests that compare with Linux inside, and prints
# what came of them as tables (docs/hosts.md): make check-kernels KERNELS="bookworm trixie sid".
# usage: tools/kernels.sh BUILD-FOLDER SUITE...
#
# All is in BUILD-FOLDER/kernels/SUITE: apt/ (apt's files: this machine's own are not touched), deb/, root/ (what a guest
# begins with), plain.tap and max.tap (what its tests printed), plain.console and max.console (what its kernel said).
#
# Environment: CONFIGS, some of those below; SEEDS, of test-torture; MINUTES, the most that a guest may take.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

build=$(realpath "$1") top=$(realpath "$(dirname "$0")/..")
shift
work=$build/kernels
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
seeds=${SEEDS:-10} minutes=${MINUTES:-90}
accel='' qemu='' # how guests run; the one that does

# Configurations (kernels/init) are run on two kinds of CPU: max on one with 5-level paging and protection keys, the
# others on one without.
CONFIGS=${CONFIGS:-madvise never always tmpfs zram disk max}
declare -A cpu=([plain]='max,la57=off,pku=off' [max]=max) configs=([plain]='' [max]='')
for config in $CONFIGS; do
	name=plain
	[[ $config = max ]] && name=max
	configs[$name]+=${configs[$name]:+,}$config
done

say() { printf '%(%T)T %s\n' -1 "$*"; }
die() { echo "kernels: $*" >&2; exit 1; }

need_tools() {
	local missing=
	for pair in qemu-system-x86_64:qemu-system-x86 cpio:cpio busybox:busybox-static mke2fs:e2fsprogs xz:xz-utils \
		dpkg-deb:dpkg apt-get:apt; do
		command -v "${pair%:*}" >/dev/null || missing+=" ${pair#*:}"
	done
	[[ -r $keyring ]] || missing+=" debian-archive-keyring"
	[[ -z $missing ]] || die "missing, and tools/setup.sh --kernels installs:$missing"
}

# The mirror from which this machine has Debian, or Debian's own.
mirror() { # mirror LABEL DEFAULT
	local url
	# shellcheck disable=SC2016 # apt's own $(REPO_URI)
	url=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" |
		awk 'NR == 1')
	echo "${url:-$2}"
}

# An apt of its own for a suite. It takes from this machine how and where from to fetch, and nothing else.
make_apt() { # make_apt SUITE
	local apt=$work/$1/apt
	mkdir -p "$apt"/{none,state/lists/partial,cache/archives/partial}
	: >"$apt/status"
	{
		apt-config dump | grep '^Acquire::' || true
		cat <<-END
			Acquire::Languages "none";
			APT::Architecture "amd64";
			APT::Sandbox::User "$(id -un)";
			Dir::Etc::Main "/dev/null";
			Dir::Etc::Parts "$apt/none";
			Dir::Etc::PreferencesParts "$apt/none";
			Dir::Etc::SourceList "$apt/sources.list";
			Dir::Etc::SourceParts "$apt/none";
			Dir::State "$apt/state";
			Dir::State::Status "$apt/status";
			Dir::Cache "$apt/cache";
		END
	} >"$apt/apt.conf"
	{
		echo "deb [signed-by=$keyring] $(mirror Debian http://deb.debian.org/debian) $1 main"
		[[ $1 = sid ]] || echo "deb [signed-by=$keyring]" \
			"$(mirror Debian-Security http://deb.debian.org/debian-security) $1-security main"
	} >"$apt/sources.list"
}

# The kernel that linux-image-cloud-amd64 depends on (it is small, and has what a guest needs) into SUITE/deb, in place of
# what is there of other versions.
fetch_kernel() { # fetch_kernel SUITE
	local packages package deb wanted=
	make_apt "$1"
	mkdir -p "$work/$1/deb"
	cd "$work/$1/deb"
	local -x APT_CONFIG=$work/$1/apt/apt.conf
	say "$1: apt-get update"
	apt-get -qq update || say "$1: no new lists: those of last time serve"
	packages=$(apt-cache depends --recurse --no-{recommends,suggests,conflicts,breaks,replaces,enhances} \
		linux-image-cloud-amd64 | grep -E '^linux-(image|binary|modules)-[0-9]' || true)
	[[ -n $packages ]] || die "$1: apt finds no linux-image-cloud-amd64 there"
	for package in $packages; do
		deb=${package}_$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p')_amd64.deb
		wanted+=" $deb "
		[[ -e $deb ]] && continue
		say "$1: fetching $deb"
		apt-get -qq download "$package"
	done
	for deb in *.deb; do
		[[ $wanted = *" $deb "* ]] || rm "$deb"
	done
}

# SUITE/vmlinuz and SUITE/initramfs: busybox, the modules, the tests and the libraries that these need.
make_guest() { # make_guest SUITE
	local root=$work/$1/root unpacked=$work/$1/unpacked deb modules version programs command
	say "$1: the guest's files"
	rm -rf "$root" "$unpacked"
	mkdir -p "$root"/{bin,sbin,scripts,lessons,proc,sys,dev} "$root/lib/modules"
	for deb in "$work/$1"/deb/*.deb; do
		dpkg-deb -x "$deb" "$unpacked"
	done
	find "$unpacked" -name 'vmlinuz*' -exec mv {} "$work/$1/vmlinuz" \;
	sed 's/^[^_]*_//; s/_[^_]*$//; q' <(basename "$deb") >"$work/$1/version"

	modules=$(find "$unpacked" -path '*/lib/modules/*' -prune)
	version=${modules##*/}
	mkdir -p "$root/lib/modules/$version"
	# shellcheck disable=SC2046 # a list of words; some kernels have some of them built in
	(cd "$modules" && cp -r --parents \
		$(ls -d kernel/{crypto,lib,mm,fs/ext4,fs/jbd2,drivers/block,drivers/virtio} 2>/dev/null) \
		"$root/lib/modules/$version")
	find "$root/lib/modules" -name '*.xz' -exec xz -d {} +
	busybox depmod -b "$root" "$version"
	rm -r "$unpacked"

	programs="$build/cli/quire $build/test/mm/test-areas-host $build/test/mm/test-place-host
		$build/test/torture/test-torture $(command -v busybox)"
	# shellcheck disable=SC2086 # a list of words
	cp $programs "$top/test/play/cases.sh" "$root/bin"
	# shellcheck disable=SC2086
	(ldd $programs 2>/dev/null || true) | grep -o '[[:space:]]/[^ ]*' | sort -u |
		xargs -I FILE cp -L --parents FILE "$root"
	cp "$top/tools/kernels/init" "$root"
	cp "$top"/test/case/*.vm "$root/scripts"
	cp "$top"/docs/lessons/*.vm "$root/lessons"
	rm "$root"/scripts/swap-more-*.vm # for the simulator, and slow
	for command in $(busybox --list); do
		[[ -e $root/bin/$command ]] || ln -s busybox "$root/bin/$command"
	done
	ln -s ../bin/busybox "$root/sbin/modprobe"
	(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/$1/initramfs"
}

# Boots a guest that ends by itself, with its lines of progress; false when it did not within so many seconds. It has
# one CPU: with two, emulated, a kernel that patches itself may run into an int3 that is gone, and panic (QEMU 7.2, Linux
# 7.2).
boot() { # boot SUITE NAME CONFIGS SECONDS
	local out=$work/$1/$2 line
	rm -f "$work/disk" "$work/swap"
	truncate -s 512M "$work/disk" "$work/swap"
	mke2fs -q -t ext4 "$work/disk"
	echo "== kernel $(<"$work/$1/version")" >"$out.tap"
	timeout "$4" nice -n 5 qemu-system-x86_64 -accel "$accel" -cpu "${cpu[$2]}" -smp 1 -m 2G -nodefaults -display none \
		-no-reboot -kernel "$work/$1/vmlinuz" -initrd "$work/$1/initramfs" \
		-append "console=ttyS0 panic=-1 mitigations=off configs=$3 seeds=$seeds" \
		-serial "file:$out.console" -chardev "file,id=tap,path=$out.tap,append=on" -serial chardev:tap \
		-drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
		-drive "file=$work/swap,format=raw,if=virtio,cache=unsafe" &
	qemu=$!
	tail -q -n +1 -f --pid="$qemu" "$out.tap" | while IFS= read -r line; do
		case $line in
		'== status'* | '== '*' probes') ;;
		'== '*) say "$1 $2: ${line#== }" ;;
		esac
	done
	wait "$qemu" || true
	qemu=''
	grep -q '^== end' "$out.tap"
}

need_tools
mkdir -p "$work"
exec 9>"$work/lock"
flock -n 9 || die "another check runs in $work"
trap '[[ -z $qemu ]] || kill "$qemu"' EXIT
for suite; do
	fetch_kernel "$suite"
	make_guest "$suite"
done
accel=kvm
boot "$1" plain '' 60 >/dev/null 2>&1 || accel=tcg
say "guests run by $accel"

taps=()
for suite; do
	for name in plain max; do
		rm -f "$work/$suite/$name.tap"
		[[ -n ${configs[$name]} ]] || continue
		boot "$suite" "$name" "${configs[$name]}" $((minutes * 60)) || say "$suite $name: see $work/$suite/$name.console"
		taps+=("$work/$suite/$name.tap")
	done
done
awk -f "$top/tools/kernels/table.awk" "${taps[@]}" | tee "$work/table.md"
