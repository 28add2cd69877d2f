// SPDX-License-Identifier: MIT
//
// test/report/page.mjs CHROMIUM PAGE.html NAME [PICTURES]: the page in a browser, TAP lines. NAME is a text of the
// program's that must stand in the page as it is. PICTURES: a folder for screenshots, to be looked at.
//
// What the page shows is compared with what its data says, added up here.
import { browse } from '../browser.mjs';

const [chromium, file, name, pictures] = process.argv.slice(2);
const { verdict, open, looks, finish } = await browse(chromium, file, 'rect.part');

await looks(pictures, 'run', () => {});

const { page, bad } = await open(1000, 'light');
const data = JSON.parse(await page.locator('#data').textContent());
const run = data.report;
const text = (selector) => page.locator(selector).allTextContents();

verdict((await text('.answer'))[0] === run.answer, 'the answer');
verdict((await text('h1'))[0] === `quire run: ${run.argv.join(' ')}` && (await text('h1'))[0].includes(name),
	'the program\'s text stands there as it is', ...(await text('h1')));
verdict(await page.locator('main script, main img, main b b').count() === 0, 'and is no HTML');
verdict((await text('.advice li')).length === run.advice.split('\n').length, 'a finding each of the advice');

// Bars: as long as their costs, one machine to another and one cause to another.
const bars = await page.locator('svg').first().locator('rect.part').evaluateAll((list) => list.map((r) =>
	({ m: r.__data__.m, key: r.__data__.row.key, most: r.getAttribute('height') === '20', width: Number(r.getAttribute('width')) })));
const length = (m, most) => bars.filter((b) => b.m === m && b.most === most).reduce((sum, b) => sum + b.width, 0);
const pixels = Math.max(...run.machines.map((_, m) => length(m, true)));
const dearest = Math.max(...run.machines.map((m) => m.cost.sum.most));

verdict(run.machines.every((m, i) => ['least', 'most'].every((end) =>
	Math.abs(length(i, end === 'most') / pixels - m.cost.sum[end] / dearest) < 0.001)), 'each machine\'s bars are as long as its sum');
verdict(bars.filter((b) => b.most && b.key !== 'others').every((b) =>
	Math.abs(b.width / pixels - run.machines[b.m].cost[b.key].most / dearest) < 0.001), 'each cause\'s part is as long as its cost');

const cause = bars.find((b) => b.key !== 'others').key, bill = data.bill.find((b) => b.json === cause);
await page.locator('svg').first().locator('rect.part').first().hover();
const said = (await text('.detail'))[0];
verdict(said.includes(bill.label) && said.includes(bill.of) && bill.costs.every((c) => said.includes(c) &&
	said.includes(data.costs[run.machines[0].cpu][c].source)), 'a part of a bar tells what it is, and the source of its costs', said);
await page.locator('tr.cause button').nth(1).click();
verdict((await text('.detail'))[0] !== said, 'a name below tells its own');

const faults = page.locator('section', { has: page.locator('h2', { hasText: 'Page faults' }) }).first();
const all = run.machines.map((m) => Object.values(m.faults).reduce((a, b) => a + b, 0));
verdict((await faults.locator('tr.sum td').allTextContents()).slice(1).every((t, i) => Number(t.replaceAll(',', '')) === all[i]),
	'faults add up');

// Tables: a click sorts, another turns it round; another machine, its figures.
const table = page.locator('section', { has: page.locator('h2', { hasText: 'Regions' }) });
const column = async (i) => (await table.locator(`tbody td:nth-child(${i})`).allTextContents()).map((t) => Number(t.replaceAll(',', '')));
const walks = (m) => run.machines[m].regions.map((g) => g.walks.data + g.walks.fetch);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b.slice(0, a.length));
verdict(same(await column(3), walks(0).sort((a, b) => b - a)), 'regions stand by their walks');
await table.locator('th button', { hasText: 'Page faults' }).click();
verdict(same(await column(5), run.machines[0].regions.map((g) => g.faults).sort((a, b) => b - a)), 'a click: by their faults');
await table.locator('th button', { hasText: 'Page faults' }).click();
verdict(same(await column(5), run.machines[0].regions.map((g) => g.faults).sort((a, b) => a - b)), 'another: turned round');
await table.locator('th button', { hasText: 'Page walks' }).click();
await table.locator('select').selectOption('1');
verdict(same(await column(3), walks(1).sort((a, b) => b - a)), 'another machine: its walks');
for (const [title, rows] of [['Programs', run.programs], ['Processes', run.processes]]) {
	const s = page.locator('section', { has: page.locator('h2', { hasText: title }) });

	verdict(await s.locator('tbody tr').count() === Math.min(30, rows.length), `${title}: a row each`);
	verdict(same((await s.locator('tbody td:first-child').allTextContents()).sort(),
		rows.map((row) => row.name ?? run.programs[row.program].name).sort()), `${title}: their names`);
}

// The address space.
const space = page.locator('section', { has: page.locator('h2', { hasText: 'Address space' }) });
const drawn = await space.locator('rect.region').evaluateAll((list) => list.map((r) =>
	({ x: Number(r.getAttribute('x')), width: Number(r.getAttribute('width')), fill: r.getAttribute('fill') })));
const room = await space.locator('.chart').evaluate((e) => e.clientWidth);
verdict(drawn.length > 0 && drawn.every((r) => r.width >= 1 && r.x >= 0 && r.x + r.width <= room + 1), 'regions are within their row');
verdict(new Set(drawn.map((r) => r.fill)).size > 1, 'and have the colours of their walks');
await space.locator('rect.region').last().dispatchEvent('click');
verdict((await space.locator('.detail').first().textContent()).includes('page walks ('), 'a region tells what it is');
await space.locator('select[name=Colour]').selectOption('1');
verdict((await space.locator('.legend').textContent()).includes('page faults'), 'coloured by faults');
// Of a region the blocks that overlap it, of a block its pages.
const label = (g) => `${g.kind.startsWith('file') ? g.name.replace(/.*\/(?=.)/, '') : g.name}`;
await space.locator('select[name=Colour]').selectOption('0');
const region = await space.locator('rect.region').first().evaluate((r) => ({ i: r.__data__.i, program: r.__data__.program }));
const g = run.regions[region.i], overlap = (b) => b.program === g.program && BigInt(b.start) < BigInt(g.end) && BigInt(g.start) < BigInt(b.start) + BigInt(run.block_bytes);
await space.locator('rect.region').first().dispatchEvent('click');
verdict(await space.locator('rect.block').count() === run.blocks.filter(overlap).length && (await space.locator('h3').first().textContent()).includes(label(g)),
	'a region is opened: its blocks', await space.locator('h3').first().textContent());
await space.locator('rect.block').first().dispatchEvent('click');
const start = (await space.locator('.inside .detail b').first().textContent()), block = run.blocks.findIndex((b) => b.start === start && overlap(b));
const machineNow = Number(await space.locator('select[name=Machine]').inputValue()), onBlock = run.machines[machineNow].blocks[block];
const empty = await space.locator('rect.page').evaluateAll((list) => list.map((r) => r.getAttribute('fill') === 'var(--empty)'));
verdict(empty.length === 512 && same(empty, Array.from(onBlock.walks_by_page, (c) => c === '.')), 'a block is opened: its pages, those with walks coloured');
const walked = empty.indexOf(false);
await space.locator('rect.page').nth(walked).dispatchEvent('click');
verdict((await space.locator('.inside').textContent()).includes(`0x${(BigInt(start) + BigInt(walked * 4096)).toString(16)}`), 'a page tells its address');

// Over the run: a chart a quantity, a line a machine; a part that is picked is picked everywhere.
const time = page.locator('section', { has: page.locator('h2', { hasText: 'Over the run' }) });
const series = data.timeline.filter((row) => run.machines.some((m) => m.timeline[row.json].some((v) => v > 0)));
const lines = () => time.locator('path.line').evaluateAll((list) => list.map((p) => p.getAttribute('d')));
const steps = (d) => d.match(/H/g).length, height = (d) => d.match(/[ML][\d.]+ [\d.]+/g).map((s) => Number(s.split(' ')[1]));
const whole = await lines();
verdict(whole.length === series.length * run.machines.length && whole.every((d) => steps(d) === run.timeline.slice_end.length), 'a step for each slice, a line for each machine');
verdict(series.every((row, k) => row.adds || run.machines.every((m, i) => {
	const y = height(whole[k * run.machines.length + i]), v = m.timeline[row.json];

	return y.every((at, a) => y.every((other, b) => at <= other || v[a] <= v[b]));
})), 'what is more stands higher');
await time.locator('button', { hasText: '+' }).click();
await time.locator('button', { hasText: '+' }).click();
verdict((await lines()).every((d) => steps(d) < run.timeline.slice_end.length), 'a part of it is larger: fewer slices');
await time.locator('button', { hasText: 'All' }).click();
verdict(same(await lines(), whole), 'and all of it again');
await time.locator('svg').first().scrollIntoViewIfNeeded();
const area = await time.locator('svg').first().boundingBox();
await page.mouse.move(area.x + 200, area.y + 40);
const told = await time.locator('.detail').textContent(); // a star: what this computer is set to
verdict([' ', '* '].some((mark) => told.includes(`Memory: ${run.machines[0].name}${mark}`)), 'a slice tells its figures', told);
await page.mouse.down();
await page.mouse.move(area.x + 500, area.y + 40, { steps: 4 });
await page.mouse.up();
const dragged = await lines();
verdict(dragged.every((d) => steps(d) < run.timeline.slice_end.length) && await page.locator('.mark').count() === 0, 'a part that is dragged over is larger');
await time.locator('button', { hasText: 'All' }).click();

const map = page.locator('section', { has: page.locator('h2', { hasText: 'Where and when' }) });
verdict(await map.locator('rect.cell').count() > 0, 'where and when');
await map.locator('rect.cell').first().click();
const place = await map.locator('.detail').textContent();
verdict(run.blocks.some((b) => place.startsWith(b.start)) && place.includes('page enters'), 'a place tells where and when it is', place);

await page.emulateMedia({ media: 'print' });
verdict(await page.evaluate(() => { // paper is narrower, and nothing is drawn again for it
	const right = (e) => e.getBoundingClientRect().right, main = document.querySelector('main');

	main.style.maxWidth = '500px';
	return [...document.querySelectorAll('rect')].every((r) => right(r) <= right(main));
}), 'charts fit narrower paper');
verdict(!(await space.locator('.controls').isVisible()) && (await page.locator('.answer').isVisible()), 'on paper without what is to be clicked');
verdict(bad.length === 0, 'no error and no request after all that', ...bad);
await finish();
