#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: freestanding.sh ARCHIVE: what trace/calls.h needs besides its front end is memcpy and its kin.
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
ld -r -o "$tmp/all.o" --whole-archive "$1" || exit 1
needs=$(nm -u "$tmp/all.o" | awk '{ print $2 }' | grep -vE '^(memcpy|memset|memmove|memcmp)$')
echo "$needs" | grep -qE '__(asan|ubsan|tsan|sanitizer)_' && { echo "ok 1 - freestanding # SKIP sanitizers are on"; echo 1..1; exit 0; }
[ -z "$needs" ] && echo "ok 1 - freestanding" || echo "not ok 1 - system calls as events need: $needs"
echo 1..1
