# SPDX-License-Identifier: MIT
# For tests of pages: $chromium, or all is skipped that what tools/setup.sh --html installs is needed for. `. browser.sh` with
# $top set to the source root, behind what defines skip_all.
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
for need in "chromium:$chromium" "node:$(command -v node)" \
	"playwright-core:$(ls "$top/report/html/node_modules/playwright-core/package.json" 2>/dev/null)"; do
	[ -n "${need#*:}" ] || skip_all "needs ${need%%:*}: tools/setup.sh --html"
done
