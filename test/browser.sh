# SPDX-License-Identifier: MIT
# For tests of pages: $chromium, or all is skipped that what tools/setup.sh --html installs is needed for. `. browser.sh` with
# $top set to the source root, behind what defines skip_all.
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
for need in "chromium:$chromium" "node:$(command -v node)" \
	"playwright-core:$(ls "$top/report/html/node_modules/playwright-core/package.json" 2>/dev/null)"; do
	[ -n "${need#*:}" ] || skip_all "needs ${need%%:*}: tools/setup.sh --html"
done

# written STATUS: if no page was written all is skipped where this build makes none, else the test has failed; what quire said
# is in $tmp/err.
written() {
	[ "$1" != 0 ] || return 0
	! grep -q 'html is off' "$tmp/err" || skip_all "$(head -n 1 "$tmp/err")"
	sed 's/^/# /' "$tmp/err"
	echo 'not ok 1 - a page is written'
	echo '1..1'
	exit 1
}
