// SPDX-License-Identifier: MIT
//
// report/html/page.js - the page of `quire run --html`: draws the JSON that stands in it (common.js).
import { axisBottom } from 'd3-axis';
import { format } from 'd3-format';
import { scaleLinear } from 'd3-scale';

import { at, bytes, count, data, drawn, equals, machine, machineNames, machinePicker, machines, page, percent, programName, refill, regions, run, section, short, span, walks } from './common.js';
import { addresses } from './space.js';
import { heatMap, timeLine } from './time.js';

const SMALL = 0.01; // of a sum: what is less on all machines is one row
const SHOWN = 30; // rows of a table, until all are asked for

const colours = {
	walks: '#3b7dd8', walks_nested: '#7a5cd6', l2_tlb_hits: '#79b7ee',
	faults_zero: '#e4572e', faults_file: '#f29a4e', faults_cow: '#f2c078', faults_swap: '#b8391b',
	faults_spurious: '#d98880', faults_signals: '#a93226', populate: '#d4a017',
	clear: '#2e9e6b', copy: '#66bd8f', tables: '#a3d9b1',
	flushes: '#8e63c7', shootdowns: '#c05299', maps: '#5f84a8', forks: '#0f9ba8', system_calls: '#8798a8',
	kpti: '#b39ddb', ticks: '#9aa5ad', switches: '#6d8a74', huge: '#c2a878', compaction: '#937860',
	reclaim: '#9a6a45', io: '#d6336c', others: '#8b8f94',
	zero_write: '#e4572e', zero_read: '#f6c453', file: '#f29a4e', cow_copy: '#2e9e6b', cow_reuse: '#8fd0a8',
	stack: '#8e63c7', swap: '#b8391b', spurious: '#9aa5ad', segv_maperr: '#a93226', segv_accerr: '#c05299',
	segv_pkuerr: '#d98880', sigbus: '#7a5cd6', no_memory: '#d6336c',
	l2_data: '#79b7ee', l2_fetch: '#a3d9b1', walk_data: '#3b7dd8', walk_fetch: '#2e9e6b',
};

// ---- stacked bars: a bar a machine, a colour a row; the table below is the legend ----

// rows: { key, label, values: a { least, most } a machine, tell(box, m): what a detail says }
function stack(s, unit, rows) {
	const sums = machines.map((_, m) => ({
		least: rows.reduce((n, row) => n + row.values[m].least, 0),
		most: rows.reduce((n, row) => n + row.values[m].most, 0),
	}));
	const interval = rows.some((row) => row.values.some((v) => v.least !== v.most));
	const chart = s.append('div').attr('class', 'chart');
	const detail = s.append('div').attr('class', 'detail').attr('aria-live', 'polite');
	const table = s.append('div').attr('class', 'scroll').append('table');
	const colour = (row) => colours[row.key] ?? colours.others;

	detail.append('span').attr('class', 'soft').text('Point at a bar, or tap it or a name below: what it is.');
	function tell(row, m) {
		const v = row.values[m];

		s.selectAll('rect.part').classed('on', (d) => d.row === row && d.m === m);
		s.selectAll('tr.cause').classed('on', (d) => d === row);
		detail.text('');
		detail.append('b').text(`${row.label}, ${machineNames[m]}: `);
		detail.append('span').text(`${interval ? span(v) : count(v.most)} ${unit}, ${percent(v.most, sums[m].most)} of the bar. `);
		row.tell(detail, m);
	}
	function bar(svg, m, y, height, end, x) {
		let from = 0;

		for (const row of rows) {
			const width = x(from + row.values[m][end]) - x(from);

			from += row.values[m][end];
			if (width > 0)
				svg.append('rect').datum({ row, m }).attr('class', 'part').attr('x', x(from) - width).attr('y', y)
					.attr('width', width).attr('height', height).attr('fill', colour(row))
					.on('pointerenter click', () => tell(row, m));
		}
	}
	drawn(chart.node(), (width) => {
		const step = interval ? 62 : 52, height = machines.length * step;
		const x = scaleLinear([0, Math.max(1, ...sums.map((v) => v.most))], [0, width - 14]);

		chart.text('');
		const svg = chart.append('svg').attr('viewBox', `0 0 ${width} ${height + 26}`).attr('role', 'img')
			.attr('aria-label', `${unit} by machine; the table below has the figures`);
		machines.forEach((_, m) => {
			const y = m * step, label = svg.append('text').attr('y', y + 16);

			label.append('tspan').attr('font-weight', 600).text(machineNames[m]);
			label.append('tspan').attr('class', 'soft').attr('dx', 8)
				.text(`${interval ? span(sums[m]) : count(sums[m].most)} ${unit}`);
			bar(svg, m, y + 22, 20, 'most', x);
			if (interval)
				bar(svg, m, y + 44, 7, 'least', x);
		});
		svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${height + 4})`)
			.call(axisBottom(x).ticks(Math.max(2, width / 120)).tickFormat(format('~s')));
	});
	const head = table.append('thead').append('tr');

	head.append('th').attr('class', 'text').text(unit[0].toUpperCase() + unit.slice(1));
	machineNames.forEach((name) => head.append('th').text(name));
	const body = table.append('tbody');

	for (const row of rows) {
		const tr = body.append('tr').datum(row).attr('class', 'cause');
		const button = tr.append('td').attr('class', 'text').append('button').on('click', () => tell(row, 0));

		button.append('span').attr('class', 'swatch').style('background', colour(row));
		button.append('span').text(row.label);
		row.values.forEach((v, m) => tr.append('td').text(interval ? span(v) : count(v.most)).on('click', () => tell(row, m)));
	}
	const sum = body.append('tr').attr('class', 'sum');

	sum.append('td').attr('class', 'text').text('Sum');
	sums.forEach((v) => sum.append('td').text(interval ? span(v) : count(v.most)));
}

function tellCosts(box, cause, m) {
	box.append('span').text(`Paid for: ${cause.of}.`);
	const list = box.append('ul');

	for (const name of cause.costs) {
		const c = data.costs[machines[m].cpu][name];

		list.append('li').text(`${name}: ${c.least === c.most ? count(c.most) : `${count(c.least)} to ${count(c.most)}`} ` +
			`${c.unit}, ${c.of}. ${c.source}${c.on === '-' ? '' : ` (${c.on})`}`);
	}
}

function costs() {
	const s = section('What it cost', 'Cycles by cause, a bar a machine: the thick one the most, where nothing overlaps; the thin ' +
		'one the least, where all does. What the program pays lies between.');
	const counts = (c) => machines.some((m) => m.cost[c.json].most > 0 && m.cost[c.json].most >= SMALL * m.cost.sum.most);
	const rest = data.bill.filter((c) => !counts(c));
	const rows = data.bill.filter(counts).map((c) => ({
		key: c.json, label: c.label, values: machines.map((m) => m.cost[c.json]), tell: (box, m) => tellCosts(box, c, m),
	}));
	const others = machines.map((m) => ({
		least: rest.reduce((n, c) => n + m.cost[c.json].least, 0),
		most: rest.reduce((n, c) => n + m.cost[c.json].most, 0),
	}));

	if (others.some((v) => v.most > 0))
		rows.push({ key: 'others', label: 'Other causes', values: others, tell(box, m) {
			const has = rest.filter((c) => machines[m].cost[c.json].most > 0);

			box.append('span').text(has.map((c) => `${c.label} ${span(machines[m].cost[c.json])}`).join(', '));
		} });
	stack(s, 'cycles', rows);
}

function faults() {
	const s = section('Page faults', 'By cause; one fault has one cause.');
	const rows = data.counters.filter((c) => c.json.startsWith('faults.') && machines.some((m) => at(m, c.json) > 0))
		.map((c) => ({
			key: c.json.slice(7), label: c.label.trim(),
			values: machines.map((m) => ({ least: at(m, c.json), most: at(m, c.json) })),
			tell: (box) => box.append('span').text(`${c.sentence}.`),
		}));

	stack(s, 'page faults', rows);
}

function misses() {
	const s = section('TLB misses', 'What missed the L1 TLB: the L2 TLB had it, or the page tables were walked.');
	const row = (key, label, value, sentence) => ({
		key, label, values: machines.map((m) => ({ least: value(m.mmu), most: value(m.mmu) })),
		tell: (box) => box.append('span').text(sentence),
	});

	stack(s, 'misses', [
		row('walk_data', 'L2 misses, data', (u) => u.l2_miss.data, 'Loads and stores: a page walk each.'),
		row('walk_fetch', 'L2 misses, code', (u) => u.l2_miss.fetch, 'Instruction fetches: a page walk each.'),
		row('l2_data', 'L2 hits, data', (u) => u.l1_miss.data - u.l2_miss.data, 'Loads and stores: some cycles each.'),
		row('l2_fetch', 'L2 hits, code', (u) => u.l1_miss.fetch - u.l2_miss.fetch, 'Instruction fetches: some cycles each.'),
	]);
}

// ---- tables that sort ----

// columns: { label, get: of a row, show: of that (else a number with commas), text: it is text }
function sortable(s, columns, rows, sort) {
	const table = s.append('div').attr('class', 'scroll').append('table');
	const head = table.append('thead').append('tr'), body = table.append('tbody');
	const more = s.append('button').attr('class', 'more');
	let by = columns[sort], up = false, shown = SHOWN;

	function fill() {
		const order = (a, b) => (by.text ? by.get(a).localeCompare(by.get(b)) : by.get(a) - by.get(b));
		const sorted = [...rows].sort((a, b) => (up ? order(a, b) : order(b, a)));

		head.selectAll('th').attr('aria-sort', (c) => (c === by ? (up ? 'ascending' : 'descending') : null));
		body.text('');
		for (const row of sorted.slice(0, shown)) {
			const tr = body.append('tr');

			for (const c of columns) {
				const td = tr.append('td').classed('text', c.text).text((c.show ?? (c.text ? String : count))(c.get(row)));

				if (c.title)
					td.attr('title', c.title(row));
			}
		}
		more.style('display', rows.length > shown ? null : 'none').text(`All ${count(rows.length)} rows`);
	}
	head.selectAll('th').data(columns).join('th').attr('scope', 'col').classed('text', (c) => c.text)
		.append('button').text((c) => c.label).on('click', (_, c) => {
			up = c === by ? !up : Boolean(c.text);
			by = c;
			fill();
		});
	more.on('click', () => {
		shown = rows.length;
		fill();
	});
	fill();
	return fill;
}

// ---- who ran, and the regions ----

const ofMachine = (label, get, more) => ({ label, get: (row) => get(row.machines[machine]), ...more });
const shareColumns = [
	ofMachine('Page faults', (m) => m.faults),
	ofMachine('Waited for I/O', (m) => m.major_faults),
	ofMachine('Page walks', (m) => m.walks.data + m.walks.fetch),
	ofMachine('Peak memory', (m) => m.peak_rss_bytes, { show: bytes }),
];
const ranColumns = [
	{ label: 'Instructions', get: (row) => row.instructions, show: short, title: (row) => count(row.instructions) },
	{ label: 'Loads, stores', get: (row) => row.data_accesses, show: short, title: (row) => count(row.data_accesses) },
	{ label: 'System calls', get: (row) => row.syscalls },
];

function tables() {
	const table = (title, note, columns, rows, sort) => {
		if (rows.length === 0)
			return;
		const s = section(title, note, rows.length > 20);

		machinePicker(s.append('div').attr('class', 'controls'));
		refill.push(sortable(s, columns, rows, sort));
	};

	table('Programs', '', [
		{ label: 'Program', get: (p) => p.name || '(none)', text: true, title: (p) => p.path },
		{ label: 'Processes', get: (p) => p.processes },
		ofMachine('Cost, least', (m) => m.cost.least, { show: short }),
		ofMachine('Cost, most', (m) => m.cost.most, { show: short }),
		...shareColumns, ...ranColumns,
	], run.programs, 3);
	table('Processes', '', [
		{ label: 'Program', get: (p) => programName(p.program), text: true },
		{ label: 'pid', get: (p) => p.pid, show: String },
		{ label: 'Parent', get: (p) => p.parent, show: String },
		...shareColumns, ...ranColumns,
	], run.processes, 3);
	table('Regions', '', [
		{ label: 'Region', get: (g) => g.label, text: true, title: (g) => g.name },
		{ label: 'Program', get: (g) => programName(g.program), text: true },
		{ label: 'Page walks', get: (g) => walks(g, machine) },
		{ label: 'Cycles, at most', get: (g) => g.count(machine).walk_cycles.most, show: short },
		{ label: 'Page faults', get: (g) => g.count(machine).faults },
		{ label: 'Mapped', get: (g) => g.peak_bytes, show: bytes },
		{ label: 'In huge pages', get: (g) => g.count(machine).peak_huge_bytes, show: bytes },
		{ label: 'Start', get: (g) => Number(g.from), show: (n) => `0x${n.toString(16)}` },
		{ label: 'Size', get: (g) => g.bytes, show: bytes },
	], regions, 2);
}

// ---- the verdict, the advice, and the rest ----

function verdict() {
	const p = run.program, times = (n, what) => `${count(n)} ${what}${n === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`;

	document.title = `quire run: ${run.argv.join(' ')}`;
	page.append('h1').text(`quire run: ${run.argv.join(' ')}`);
	page.append('p').attr('class', 'answer').text(run.answer);
	page.append('p').attr('class', 'soft').text(
		`${short(p.instructions)} instructions, ${short(p.data_accesses)} loads and stores, ${times(p.syscalls, 'system call')}; ` +
		`${times(p.processes, 'process')}, ${times(p.threads, 'thread')}. ` +
		(run.running ? 'It still runs.' : run.signal ? `${run.signal} ended it.` : `Exit status ${run.exit_status}.`));
	if (equals.length)
		page.append('p').attr('class', 'soft').text(`Equal in every figure, and so shown once: ${equals.join(', ')}.`);
	if (machines.some((m) => m.as_host))
		page.append('p').attr('class', 'soft').text('*: set as the computer was where it ran: transparent huge pages ' +
			`${run.host.thp}, KPTI ${run.host.kpti ? 'on' : 'off'}.`);
	machines.forEach((m, i) => [m.error, m.oom_note].filter(Boolean).forEach((text) =>
		page.append('p').attr('class', 'bad').text(`${machineNames[i]}: ${text}`)));
}

// Its evidence: the regions that it names, as they were on the first machine.
function advice() {
	const list = section('Advice').append('ul').attr('class', 'advice');

	for (const text of run.advice.split('\n').filter(Boolean)) {
		const li = list.append('li').text(text);
		const named = regions.filter((g) => text.includes(g.label) && walks(g, 0) + g.count(0).faults > 0)
			.sort((a, b) => b.count(0).faults + walks(b, 0) - a.count(0).faults - walks(a, 0)).slice(0, 3);

		for (const g of named)
			li.append('small').text(`${g.label} of ${programName(g.program)}, ${g.start} to ${g.end}: ${count(g.count(0).faults)} page ` +
				`faults, ${count(walks(g, 0))} page walks on ${machineNames[0]}`);
	}
}

function counters() {
	const box = page.append('details');
	const rows = data.counters.filter((c) => machines.some((m) => at(m, c.json) > 0));

	box.append('summary').text('All that was counted, and what the machines are');
	const table = box.append('div').attr('class', 'scroll').append('table');
	const line = (label, values, title) => {
		const tr = table.append('tr');

		tr.append('td').attr('class', 'text').attr('title', title).text(label);
		values.forEach((v) => tr.append('td').text(v));
	};

	line('', machineNames, '');
	rows.forEach((c) => line(c.json, machines.map((m) => count(at(m, c.json))), c.sentence));
	for (const [key, value] of Object.entries(machines[0] ?? {}))
		if (typeof value !== 'object' && !['error', 'oom_note'].includes(key) && !data.counters.some((c) => c.json === key))
			line(key, machines.map((m) => String(m[key])), 'of the machine');
	page.append('footer').text(`Quire ${run.quire}. The data of this page is the report that --json writes, version ${run.version}.`);
}

verdict();
costs();
advice();
faults();
misses();
timeLine();
heatMap();
addresses();
tables();
counters();
