// SPDX-License-Identifier: MIT
//
// report/html/common.js - what all parts of the page share: the data, numbers as text, sections, what is picked.
//
//   data.report     the report, docs/json.md
//   data.bill       the causes of cost, in the report's order: { json, label, of, costs: names of what is paid }
//   data.costs      by CPU, by name: { unit, of, on, source, least, most }
//   data.counters   { json, label, sentence }; label is empty for those that the text report leaves out
//   data.timeline   { json, label, adds, bytes }: what machines[].timeline has of each slice
//
// 1. The program's text (names, arguments) gets into the page as text only: never as HTML, never as a style.
// 2. Nothing is fetched.
import { format } from 'd3-format';
import { scaleLinear } from 'd3-scale';
import { select } from 'd3-selection';

export const data = JSON.parse(document.getElementById('data').textContent);
export const run = data.report;
// Machines that are equal in every figure are one: the first of them.
const kept = run.machines.map((_, i) => i).filter((i) => run.machines[i].same_as === i);
export const equals = run.machines.filter((m, i) => m.same_as !== i).map((m) => `${m.name} = ${run.machines[m.same_as].name}`);
export const machines = kept.map((i) => run.machines[i]);
for (const row of [...run.programs, ...run.processes])
	row.machines = kept.map((i) => row.machines[i]);
export const page = select('main');

// ---- numbers ----

export const count = format(',');
// As the text report: "351k", "7.2M".
export function short(n) {
	let k = 0;

	for (; n >= 999.5; k++)
		n /= 1000;
	return `${k && n < 9.95 ? n.toFixed(1) : Math.round(n)}${' kMGTPE'[k].trim()}`;
}
export const span = (v) => (short(v.least) === short(v.most) ? short(v.most) : `${short(v.least)}..${short(v.most)}`);
export const percent = (part, all) => (all > 0 ? `${format('.1f')((100 * part) / all)} %` : '');
export function bytes(n) {
	let k = 0;

	for (; n >= 1024; k++)
		n /= 1024;
	return `${k && n < 100 ? format('.3~r')(n) : Math.round(n)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'][k]}`;
}
export const at = (object, path) => path.split('.').reduce((v, key) => v?.[key], object);
export const base = (path) => path.replace(/.*\/(?=.)/, '');
export const programName = (i) => (i < 0 ? '(several)' : run.programs[i].name || '(none)');
// Machines may share a name; then the place tells them apart. A star: set as the computer was that made this page.
export const machineNames = machines.map((m, i) => m.name + (m.as_host ? '*' : '') +
	(machines.filter((other) => other.name === m.name).length > 1 ? ` (${i + 1})` : ''));

export function section(title, note, long) {
	const s = page.append('section').classed('long', long);

	s.append('h2').text(title);
	if (note)
		s.append('p').attr('class', 'soft').text(note);
	return s;
}

// Draws now, and again when the width changes.
export function drawn(node, draw) {
	let width = 0;

	new ResizeObserver(() => {
		if (node.clientWidth && node.clientWidth !== width)
			draw((width = node.clientWidth));
	}).observe(node);
}

// ---- what is picked ----

export let machine = 0; // that the address space and the tables are of
export const refill = []; // when it changes

export function picker(box, label, names, then) {
	const s = box.append('label').text(`${label} `).append('select').attr('name', label);

	s.selectAll('option').data(names).join('option').attr('value', (_, i) => i).text((name) => name);
	s.on('change', () => then(Number(s.property('value'))));
	return s;
}

export function machinePicker(box) {
	picker(box, 'Machine', machineNames, (m) => {
		machine = m;
		page.selectAll('select[name=Machine]').property('value', m);
		refill.forEach((fill) => fill());
	});
}

// ---- regions ----

export const regions = run.regions.map((g, i) => ({
	...g, i, from: BigInt(g.start), bytes: Number(BigInt(g.end) - BigInt(g.start)),
	label: `${g.kind.startsWith('file') ? base(g.name) : g.name}${{ file_text: ' code', file_data: ' data' }[g.kind] ?? ''}`,
	count: (m) => machines[m].regions[i],
}));
export const walks = (g, m) => g.count(m).walks.data + g.count(m).walks.fetch;

// ---- blocks: where and when ----

// The characters of enters_by_slice, walks_by_page and faults_by_page: 0 for none, else 1 and more, each twice the last.
export const levels = (text) => Array.from(text, (c) => (c === '.' ? 0 : 1 + parseInt(c, 36)));
export const levelText = (level) => (level === 0 ? 'none' : level === 1 ? '1' : `${short(2 ** (level - 1))} to ${short(2 ** level - 1)}`);
export const blocks = run.blocks.map((b, i) => ({ ...b, i, from: BigInt(b.start), on: (m) => machines[m].blocks[i] }))
	.sort((a, b) => a.program - b.program || (a.from < b.from ? -1 : Number(a.from > b.from)));
export const regionAt = (program, from, end) => regions.filter((g) => g.program === program && g.from < end && from < g.from + BigInt(g.bytes));
// A shade for 0 to 1; what is nothing has that of an empty place.
const shades = scaleLinear([0, 0.4, 1], ['#f0dfbd', '#ef8a3c', '#a50f15']);
export const shade = (x) => (x > 0 ? shades(Math.min(1, x)) : 'var(--empty)');
