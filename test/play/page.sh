#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/play/page.sh QUIRE [PICTURES]: the page of `quire play --html` in a real browser (page.mjs), of a script whose text
# tries to break out of it. TAP output. Skipped without what tools/setup.sh --html installs.
quire=$1
here=${0%/*} top=${0%/*}/../..
skip_all() { echo "1..0 # SKIP $1"; exit 0; }
. "$top/test/browser.sh"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/<b>.vm" <<'END'
# name: </script><script>alert(1)</script>
# expect: pass
# host: no, it is a test of the page
$a = mmap 64K rw
write $a 1 over 16K
fork child
write $a 2
expect fault cow-copy
switch child
read $a
question "</script><script>alert(2)</script><!-- <b>what</b> was read?"
answer value 1
show tables
show tlb
exit
switch main
munmap $a 64K
END
"$quire" play --step --html "$tmp/page.html" "$tmp/<b>.vm" >"$tmp/told" 2>"$tmp/err"
written $?
timeout 100 node "$here/page.mjs" "$chromium" "$tmp/page.html" "$tmp/told" "${2-}"
