// SPDX-License-Identifier: MIT
//
// report/html/play.js - the page of `quire play --html`: a script step by step, forward and back. play/record.c says what
// the data is.
//
// 1. The script's text gets into the page as text only.
// 2. Nothing is fetched.
import { select } from 'd3-selection';

const data = JSON.parse(document.getElementById('data').textContent);
const page = select('main');
let now = 0;

// The tables and the TLB after each step; a step that changed neither has those of the one before.
data.steps.forEach((step, i) => {
	step.tables ??= data.steps[i - 1]?.tables ?? [];
	step.tlb ??= data.steps[i - 1]?.tlb ?? [];
});

document.title = `quire play: ${data.file}`;
page.append('h1').text(`quire play: ${data.file}`);
page.append('p').attr('class', 'answer').text(data.verdict);
const bar = page.append('div').attr('class', 'controls steps');
const count = bar.append('span').attr('class', 'soft').attr('aria-live', 'polite');
const columns = page.append('div').attr('class', 'play');
const script = columns.append('section').attr('class', 'script').attr('aria-label', 'The script');
const told = columns.append('section').attr('class', 'told');
const tables = columns.append('section').attr('class', 'tables');
const cached = columns.append('section').attr('class', 'caches');

function go(to) {
	now = Math.max(0, Math.min(data.steps.length - 1, to));
	show();
}

for (const [label, title, to] of [['«', 'The first step (Home)', () => 0], ['‹', 'One step back (left arrow)', () => now - 1],
	['›', 'One step on (right arrow)', () => now + 1], ['»', 'The last step (End)', () => data.steps.length - 1]])
	bar.append('button').attr('class', 'more').attr('title', title).attr('aria-label', title).text(label).on('click', () => go(to()));
select(window).on('keydown', (event) => {
	const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: data.steps.length - 1 }[event.key];

	if (to !== undefined && !event.altKey && !event.ctrlKey && !event.metaKey) {
		event.preventDefault();
		go(to);
	}
});

const lines = script.selectAll('button').data(data.steps).join('button').attr('class', 'line-of').on('click', (_, step) => go(data.steps.indexOf(step)));

lines.append('span').attr('class', 'soft').text((step) => step.line);
lines.append('span').text((step) => step.source ?? '');
if (data.more)
	script.append('p').attr('class', 'soft').text(`and ${data.more} steps more, which this page does not show`);

const keyOf = (e) => JSON.stringify(e);

// What was not there before this step is marked.
function tree(box, step, before) {
	const old = new Set(before.map(keyOf));

	box.append('h2').text('Page tables');
	box.append('p').attr('class', 'soft').text(`Of ${step.process}: CR3 ${step.cr3}, PCID ${step.pcid}. New is what has a bar.`);
	const list = box.append('div').attr('class', 'tree list');

	if (step.tables.length === 0)
		list.append('p').text('No entry yet.');
	for (const e of step.tables) {
		const row = list.append('div').attr('class', `entry depth${e.depth}`).classed('new', !old.has(keyOf(e))).classed('leaf', e.leaf);

		row.append('b').text(`${e.table}[${e.index}${e.n > 1 ? `..${e.index + e.n - 1}` : ''}]`);
		row.append('span').text(` ${e.va} → ${e.leaf ? 'page' : 'table'} ${e.frame} `);
		row.append('span').attr('class', 'soft').text(e.bits);
	}
	if (step.more_entries)
		list.append('p').attr('class', 'soft').text(`and ${step.more_entries} entries more`);
}

function tlb(box, step, before) {
	const old = new Set(before.map(keyOf));

	box.append('h2').text('TLB');
	box.append('p').attr('class', 'soft').text(`Of CPU ${step.cpu}, and its paging-structure caches ("walk").`);
	const table = box.append('div').attr('class', 'scroll list').append('table');
	const head = table.append('thead').append('tr');

	for (const [label, text] of [['In', true], ['Address', true], ['Size', true], ['PCID', false], ['Frame', true], ['Rights', true]])
		head.append('th').classed('text', text).text(label);
	const body = table.append('tbody');

	for (const e of step.tlb) {
		const row = body.append('tr').attr('class', 'cached').classed('new', !old.has(keyOf(e)));

		for (const [value, text] of [[e.cache, true], [e.va, true], [e.size, true], [e.pcid, false], [e.frame, true], [e.rights, true]])
			row.append('td').classed('text', text).text(value);
	}
	if (step.tlb.length === 0)
		body.append('tr').append('td').attr('class', 'text').attr('colspan', 6).text('Empty.');
	if (step.more_cached)
		box.append('p').attr('class', 'soft').text(`and ${step.more_cached} entries more`);
}

function show() {
	const step = data.steps[now], before = data.steps[now - 1];

	if (!step)
		return;
	count.text(`Step ${now + 1} of ${data.steps.length}`);
	lines.classed('on', (_, i) => i === now).attr('aria-current', (_, i) => (i === now ? 'step' : null));
	const line = lines.nodes()[now], box = script.node();

	box.scrollTop = line.offsetTop - box.offsetTop - box.clientHeight / 2; // of the list alone: the page stays
	told.text('').append('h2').text('What happens');
	told.append('pre').text(step.told.replace(/^\n/, ''));
	if (step.maps) {
		told.append('h2').text('Areas');
		told.append('pre').text(step.maps);
	}
	tables.text('');
	cached.text('');
	if (!step.process) {
		tables.append('p').text('No process runs.');
		return;
	}
	tree(tables, step, before?.tables ?? []);
	tlb(cached, step, before?.tlb ?? []);
	// What is new is in sight.
	for (const list of page.selectAll('.list').nodes()) {
		const first = list.querySelector('.new');

		if (first)
			list.scrollTop = first.getBoundingClientRect().top - list.getBoundingClientRect().top - 40;
	}
}

show();
