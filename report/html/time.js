// SPDX-License-Identifier: MIT
//
// report/html/time.js - the run in slices: a chart a quantity with a line a machine, and where the program was when.
//
// All have one axis, the instructions executed; a part of it that is picked is picked in all of them.
import { axisBottom, axisLeft } from 'd3-axis';
import { scaleLinear, scaleSqrt } from 'd3-scale';
import { pointer, select } from 'd3-selection';

import { blocks, bytes, count, data, drawn, levels, levelText, machineNames, machines, picker, programName, regionAt, run, section, shade, short } from './common.js';

const ends = run.timeline.slice_end, total = ends.at(-1) ?? 0;
const starts = ends.map((_, i) => (i ? ends[i - 1] : 0));
const colours = ['#3b7dd8', '#e4572e', '#2e9e6b', '#8e63c7', '#d4a017', '#0f9ba8', '#c05299', '#937860'];
const LEFT = 64, HEIGHT = 84;
const TALLEST = 420, ROWS = 140; // of the map: pixels, and rows to tell apart
let range = [0, total];
const redraw = []; // when another part is picked

const sliceAt = (instructions) => Math.min(ends.length - 1, Math.max(0, ends.findIndex((end) => instructions < end)));
const axisX = (width) => scaleLinear(range, [LEFT, width - 12]);

function pick(from, to) {
	const least = total / ends.length;
	const middle = (from + to) / 2, half = Math.min(total, Math.max(least, to - from)) / 2;
	const start = Math.min(Math.max(0, middle - half), total - 2 * half);

	range = [start, start + 2 * half];
	redraw.forEach((draw) => draw());
}

function zoomButtons(box) {
	const zoom = (factor) => {
		const middle = (range[0] + range[1]) / 2, half = (range[1] - range[0]) / 2 * factor;

		pick(middle - half, middle + half);
	};
	const pan = (part) => pick(range[0] + part * (range[1] - range[0]), range[1] + part * (range[1] - range[0]));
	const group = box.append('span').attr('class', 'zoom');

	for (const [label, title, then] of [['−', 'Zoom out', () => zoom(2)], ['+', 'Zoom in', () => zoom(0.5)],
		['‹', 'Earlier', () => pan(-0.5)], ['›', 'Later', () => pan(0.5)], ['All', 'The whole run', () => pick(0, total)]])
		group.append('button').attr('class', 'more').attr('title', title).attr('aria-label', title).text(label).on('click', then);
}

// A part of the axis is picked by drawing over it; to point is to ask what is there: tell(instructions, y).
function picking(node, width, tell) {
	let from = null, mark = null;
	const at = (event) => axisX(width()).invert(pointer(event, node)[0]);

	select(node).on('pointerdown', (event) => {
		if (event.pointerType === 'mouse')
			from = pointer(event, node)[0];
	}).on('pointermove click', (event) => {
		const [px, py] = pointer(event, node);

		if (from === null || Math.abs(px - from) < 4)
			return tell(at(event), py, event);
		mark ??= select(node.parentNode).append('div').attr('class', 'mark');
		mark.style('left', `${Math.min(px, from)}px`).style('width', `${Math.abs(px - from)}px`);
	}).on('pointerup pointerleave', (event) => {
		const px = pointer(event, node)[0];

		if (mark && event.type === 'pointerup') {
			const x = axisX(width());

			pick(x.invert(Math.min(px, from)), x.invert(Math.max(px, from)));
		}
		mark?.remove();
		mark = from = null;
	});
}

// What a slice's figure is drawn as: a size, or what was counted for each million instructions.
const shown = (row, m, i) => {
	const value = machines[m].timeline[row.json][i];

	return row.adds ? (value / Math.max(1, ends[i] - starts[i])) * 1e6 : value;
};

// 1, 2, 3, 4, 6 or 8 of a power of ten, or of 1024 for sizes.
function roundUp(n, isBytes) {
	const unit = isBytes ? 2 ** Math.max(0, Math.floor(Math.log2(n || 1)) - 2) : 10 ** Math.floor(Math.log10(n || 1));

	return [1, 2, 3, 4, 5, 6, 7, 8].find((k) => k * unit >= n) * unit || 10 * unit;
}

function axis(svg, x, y, width) {
	svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${y})`)
		.call(axisBottom(x).ticks(Math.max(2, width / 130)).tickSizeOuter(0).tickFormat(short));
}

function chart(s, row, tell) {
	const box = s.append('div').attr('class', 'chart time');
	const most = Math.max(...machines.map((_, m) => ends.reduce((n, _, i) => Math.max(n, shown(row, m, i)), 0)));
	let width = 0;

	function draw(w = width) {
		width = w;
		const x = axisX(width), top = roundUp(most, row.bytes), y = (row.adds ? scaleSqrt : scaleLinear)([0, top], [HEIGHT, 0]);
		const first = sliceAt(range[0]), last = sliceAt(range[1] - 1);

		box.selectAll('svg').remove();
		const svg = box.append('svg').attr('viewBox', `0 -24 ${width} ${HEIGHT + 48}`).attr('role', 'img').attr('aria-label', row.label);
		svg.append('text').attr('y', -10).attr('font-weight', 600).text(row.label).append('tspan').attr('class', 'soft').attr('dx', 8)
			.attr('font-weight', 400).text(row.adds ? 'for each million instructions (√ scale)' : 'at most in each slice');
		svg.append('g').attr('class', 'axis').attr('transform', `translate(${LEFT},0)`)
			.call(axisLeft(y).tickValues([0, row.adds ? top / 4 : top / 2, top]).tickSizeOuter(0).tickFormat(row.bytes ? bytes : short));
		axis(svg, x, HEIGHT, width);
		machines.forEach((_, m) => {
			let path = '';

			for (let i = first; i <= last; i++) {
				const from = Math.max(range[0], starts[i]), to = Math.min(range[1], ends[i]), v = y(shown(row, m, i)).toFixed(1);

				path += `${i === first ? 'M' : 'L'}${x(from).toFixed(1)} ${v}H${x(to).toFixed(1)}`;
			}
			svg.append('path').datum(m).attr('class', 'line').attr('d', path).attr('stroke', colours[m % colours.length])
				.attr('stroke-dasharray', m < colours.length ? null : '5 3');
		});
		picking(svg.node(), () => width, tell);
	}
	drawn(box.node(), draw);
	redraw.push(draw);
}

export function timeLine() {
	const rows = data.timeline.filter((row) => machines.some((m) => m.timeline[row.json].some((v) => v > 0)));

	if (ends.length < 2 || rows.length === 0)
		return;
	const s = section('Over the run', `By instructions executed, in ${count(ends.length)} slices. Drag over a chart to see that part larger.`, true);
	const box = s.append('div').attr('class', 'controls');
	const legend = s.append('p').attr('class', 'legend');

	zoomButtons(box);
	machineNames.forEach((name, m) => {
		const item = legend.append('span').attr('class', 'item');

		item.append('span').attr('class', 'swatch').style('background', colours[m % colours.length]);
		item.append('span').text(name);
	});
	function tell(at) {
		const i = sliceAt(at);

		detail.text('').append('b').text(`${short(starts[i])} to ${short(ends[i])} instructions`);
		for (const row of rows) {
			const values = machines.map((m, k) => `${machineNames[k]} ${(row.bytes ? bytes : count)(m.timeline[row.json][i])}`);

			detail.append('div').text(`${row.label}: ${values.join(', ')}`);
		}
	}
	const charts = s.append('div'); // the detail stays in sight beside these
	rows.forEach((row) => chart(charts, row, tell));
	const detail = charts.append('div').attr('class', 'detail stays').attr('aria-live', 'polite');

	detail.append('span').attr('class', 'soft').text('Point at a chart, or tap it: what that slice of the run was.');
}

// ---- where the program was when ----

// Neighbours are drawn as one where there are more than ROWS.
function mapRows(list) {
	const each = Math.ceil(list.length / ROWS), rows = [];

	for (let i = 0; i < list.length; i += each) {
		const of = list.slice(i, i + each), heat = of.map((b) => levels(b.enters_by_slice));

		rows.push({ of, from: of[0].from, end: of.at(-1).from + BigInt(run.block_bytes), heat: ends.map((_, k) => Math.max(...heat.map((h) => h[k] ?? 0))) });
	}
	return rows;
}

export function heatMap() {
	const programs = [...new Set(blocks.map((b) => b.program))];

	if (ends.length < 2 || programs.length === 0)
		return;
	const s = section('Where and when', `Page enters: accesses to a page that the thread has not used just before. Each row is ${bytes(run.block_bytes)} ` +
		'of addresses in which something happened, the lowest at the top; the redder, the more, each shade twice the last.');
	const box = s.append('div').attr('class', 'controls');
	const enters = (p) => blocks.reduce((n, b) => n + (b.program === p ? b.enters : 0), 0);
	let program = programs.reduce((a, b) => (enters(b) > enters(a) ? b : a)), width = 0;

	zoomButtons(box);
	picker(box, 'Program', programs.map(programName), (i) => draw(width, (program = programs[i])))
		.property('value', programs.indexOf(program));
	const chart = s.append('div').attr('class', 'chart map');
	const detail = s.append('div').attr('class', 'detail').attr('aria-live', 'polite');

	detail.append('span').attr('class', 'soft').text('Point at a place, or tap it: which memory, and when.');
	function draw(w = width) {
		const rows = mapRows(blocks.filter((b) => b.program === program));
		const high = Math.max(3, Math.min(16, Math.floor(TALLEST / rows.length))), height = high * rows.length;
		const most = Math.max(1, ...rows.map((row) => Math.max(...row.heat)));

		width = w;
		const x = axisX(width);
		chart.selectAll('svg').remove();
		const svg = chart.append('svg').attr('viewBox', `0 0 ${width} ${height + 24}`).attr('role', 'img').attr('aria-label', 'where the program was when');

		svg.append('rect').attr('class', 'row').attr('x', LEFT).attr('width', width - 12 - LEFT).attr('height', height);
		rows.forEach((row, k) => {
			// Slices of one shade are one rectangle.
			for (let i = sliceAt(range[0]), next; i < ends.length && starts[i] < range[1]; i = next) {
				for (next = i + 1; next < ends.length && row.heat[next] === row.heat[i];)
					next++;
				if (row.heat[i] === 0)
					continue;
				const from = x(Math.max(range[0], starts[i])), to = x(Math.min(range[1], ends[next - 1]));

				svg.append('rect').attr('class', 'cell').attr('x', from.toFixed(1)).attr('y', k * high).attr('width', (to - from).toFixed(1))
					.attr('height', high).attr('fill', shade(row.heat[i] / most));
			}
			const gap = k && row.from !== rows[k - 1].end;

			if (gap)
				svg.append('line').attr('class', 'gap').attr('x1', LEFT - 6).attr('x2', width - 12).attr('y1', k * high).attr('y2', k * high);
		});
		labels(rows).forEach(([k, text]) => svg.append('text').attr('class', 'soft').attr('x', LEFT - 8).attr('text-anchor', 'end')
			.attr('y', Math.min(height - 2, k * high + 11)).text(text));
		axis(svg, x, height, width);
		picking(svg.node(), () => width, (at, y) => tell(rows[Math.min(rows.length - 1, Math.max(0, Math.floor(y / high)))], sliceAt(at)));
	}
	// The regions' names where they begin, as far as there is room.
	function labels(rows) {
		const high = Math.max(3, Math.min(16, Math.floor(TALLEST / rows.length))), list = [];
		let free = 0, name = '';

		rows.forEach((row, k) => {
			const g = regionAt(program, row.from, row.end).sort((a, b) => b.bytes - a.bytes)[0], text = g ? g.label.replace(/ (code|data)$/, '') : '';

			if (text && text !== name && k * high >= free) {
				list.push([k, text.length > 9 ? `${text.slice(0, 8)}…` : text]);
				free = k * high + 13;
				name = text;
			}
		});
		return list;
	}
	function tell(row, i) {
		const names = [...new Set(row.of.flatMap((b) => regionAt(program, b.from, b.from + BigInt(run.block_bytes))).map((g) => g.label))];

		detail.text('').append('b').text(`0x${row.from.toString(16)} to 0x${row.end.toString(16)}`);
		detail.append('span').text(`${names.length ? `, ${names.slice(0, 6).join(', ')}${names.length > 6 ? ', ...' : ''}` : ''}: in the slice up to ` +
			`${short(ends[i])} instructions ${levelText(row.heat[i])} page enters; in the whole run ${count(row.of.reduce((n, b) => n + b.enters, 0))}.`);
	}
	drawn(chart.node(), draw);
	redraw.push(draw);
}
