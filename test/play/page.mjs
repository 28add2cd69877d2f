// SPDX-License-Identifier: MIT
//
// test/play/page.mjs CHROMIUM PAGE.html TOLD [PICTURES]: the page in a browser, TAP lines. TOLD: what `quire play --step` wrote
// of the same script. PICTURES: a folder for screenshots, to be looked at.
import { readFileSync } from 'node:fs';

import { browse } from '../browser.mjs';

const [chromium, file, told, pictures] = process.argv.slice(2);
const { verdict, open, looks, finish } = await browse(chromium, file, '.line-of');

await looks(pictures, 'play', async (page) => {
	for (let i = 0; i < 3; i++)
		await page.keyboard.press('ArrowRight');
});

const { page, bad } = await open(1000, 'light');
const data = JSON.parse(await page.locator('#data').textContent());
const source = readFileSync(told, 'utf8');
const shown = async () => Number((await page.locator('.steps .soft').textContent()).match(/Step (\d+) of/)[1]) - 1;
const current = () => page.locator('.line-of.on').textContent();
const lineOf = (i) => `${data.steps[i].line}${data.steps[i].source}`;
const step = (text) => data.steps.findIndex((s) => s.source === text);

verdict(data.steps.map((s) => s.told).join('') === source.slice(0, source.lastIndexOf('\n', source.length - 2) + 1),
	'all that --step tells is told, in this order', data.steps.map((s) => s.told).join(''));
verdict(await page.locator('.line-of').count() === data.steps.length && data.steps.length === 14, 'a line for each statement');
verdict(await page.locator('main script, main img, main b b').count() === 0 && (await page.locator('h1').textContent()).includes('<b>.vm'), 'the script\'s text is no HTML');

// Forward and back: by keys, by buttons, by the script's lines.
for (const [what, key, wanted] of [['right', 'ArrowRight', 1], ['right', 'ArrowRight', 2], ['left', 'ArrowLeft', 1], ['End', 'End', 13], ['right, at the end', 'ArrowRight', 13],
	['Home', 'Home', 0], ['left, at the beginning', 'ArrowLeft', 0]]) {
	await page.keyboard.press(key);
	verdict(await shown() === wanted && await current() === lineOf(wanted), `the key ${what}: step ${wanted + 1}`, await current());
}
for (const [what, wanted] of [['›', 1], ['»', 13], ['‹', 12], ['«', 0]]) {
	await page.locator('.steps button', { hasText: what }).click();
	verdict(await shown() === wanted, `the button ${what}: step ${wanted + 1}`);
}
await page.locator('.line-of').nth(1).click();
verdict(await shown() === 1, 'a line of the script is picked');

// The state is what `show` shows: of each entry and each translation a line.
const squeeze = (text) => text.trim().replace(/\s+/g, ' ');
const lines = (i) => data.steps[i].told.split('\n').slice(2).map(squeeze).filter(Boolean);
const tables = step('show tables'), tlb = step('show tlb');

await page.locator('.line-of').nth(tables).click();
const entries = (await page.locator('.entry').allTextContents()).map((text) => squeeze(text.replace('→ ', '')));
verdict(entries.length > 3 && JSON.stringify(entries) === JSON.stringify(lines(tables).slice(1)), 'the tree is what `show tables` shows', entries.join('\n'), lines(tables).join('\n'));
await page.locator('.line-of').nth(tlb).click();
const cached = (await page.locator('.cached').evaluateAll((rows) => rows.map((r) => [...r.children].map((c) => c.textContent))))
	.map(([cache, va, size, pcid, frame, rights]) => `${cache} ${va} ${size} pcid ${pcid} -> ${frame} ${rights}`);
verdict(cached.length > 0 && JSON.stringify(cached) === JSON.stringify(lines(tlb).slice(1)), 'the TLB is what `show tlb` shows', cached.join('\n'), lines(tlb).join('\n'));

// The copy of a page is the one leaf that the write has made; back and forward it is the same.
await page.locator('.line-of').nth(step('write $a 2')).click();
const copied = await page.locator('.entry.leaf.new').allTextContents();
verdict(copied.length > 0 && copied[0].includes(' RW ') && copied[0].includes(' D '), 'a copied page is new, writable and dirty', ...copied);
await page.keyboard.press('ArrowRight');
verdict(await page.locator('.entry.new').count() === 0, 'an expectation changes nothing');
await page.keyboard.press('ArrowLeft');
verdict(JSON.stringify(await page.locator('.entry.leaf.new').allTextContents()) === JSON.stringify(copied), 'and back');
await page.keyboard.press('End');
verdict(await page.locator('.entry.leaf').count() === 0, 'after munmap no page is left');
verdict(bad.length === 0, 'no error and no request after all that', ...bad);
await finish();
