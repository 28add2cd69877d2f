// SPDX-License-Identifier: MIT
//
// test/browser.mjs - what tests of pages share: a page in headless Chromium, everything that it must not do noted, TAP lines.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(new URL('../report/html/', import.meta.url));

// ready: a selector; the page is there when something matches it.
export async function browse(chromium, file, ready) {
	const browser = await require('playwright-core').chromium.launch({ executablePath: chromium, args: ['--no-sandbox'] });
	const url = pathToFileURL(file).href;
	let n = 0;

	function verdict(good, what, ...more) {
		console.log(`${good ? 'ok' : 'not ok'} ${++n} - ${what}`);
		if (!good)
			more.forEach((text) => console.log(`# ${String(text).replaceAll('\n', '\n# ')}`));
	}

	// bad: errors, warnings, dialogs and requests so far.
	async function open(width, colorScheme) {
		const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
		const bad = [];

		page.on('console', (m) => ['error', 'warning'].includes(m.type()) && bad.push(`console: ${m.text()}`));
		page.on('pageerror', (e) => bad.push(`error: ${e}`));
		page.on('dialog', (d) => bad.push(`dialog: ${d.message()}`) && d.dismiss());
		page.on('request', (r) => r.url() !== url && bad.push(`request: ${r.url()}`));
		await page.goto(url);
		await page.waitForSelector(ready);
		return { page, bad };
	}

	// On a phone and a wide screen, light and dark, after what `use` does to it. pictures: a folder, for screenshots.
	async function looks(pictures, name, use) {
		for (const width of [400, 1400])
			for (const scheme of ['light', 'dark']) {
				const { page, bad } = await open(width, scheme);

				await use(page);
				const wide = await page.evaluate(() => document.documentElement.scrollWidth);

				verdict(bad.length === 0, `${width} pixels, ${scheme}: no error, no request`, ...bad);
				verdict(wide <= width, `${width} pixels, ${scheme}: it fits`, `${wide} pixels wide`);
				if (pictures) {
					mkdirSync(pictures, { recursive: true });
					await page.screenshot({ path: `${pictures}/${name}-${width}-${scheme}.png`, fullPage: true });
				}
				await page.close();
			}
	}

	async function finish() {
		console.log(`1..${n}`);
		await browser.close();
	}
	return { verdict, open, looks, finish };
}
