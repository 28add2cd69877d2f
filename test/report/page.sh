#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/report/page.sh BUILD_DIR [PICTURES]: the page of --html in a real browser (page.mjs), of a run whose arguments try to
# break out of it. TAP output. Skipped without what tools/setup.sh --html installs.
build=$1
. "${0%/*}/../programs.sh"
here=${0%/*} top=${0%/*}/../..

. "$top/test/browser.sh"
# A program whose path, and an argument that is all that HTML, scripts and JSON have words for; some are no UTF-8.
argument=$(printf '</script><script>alert(1)</script><!--<script> <b>"\047&amp;\\u003c \001\033 \303\244')
mkdir "$tmp/<"
program=$tmp/$(printf '</script><img src=x onerror=alert(2)> "\047\377\001')
cp "$programs/random" "$program"
"$quire" run --html "$tmp/page.html" --processes -m 4k -m thp -- \
	sh -c '"$1" 8 1000; sort /proc/self/maps | wc -l' sh "$program" "$argument" >/dev/null 2>"$tmp/err"
written $?
timeout 100 node "$here/page.mjs" "$chromium" "$tmp/page.html" "$argument" "${2-}"
