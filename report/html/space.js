// SPDX-License-Identifier: MIT
//
// report/html/space.js - the address space: regions to scale, of one that is picked its blocks, of one of these its pages.
import { scaleLinear } from 'd3-scale';
import { select } from 'd3-selection';

import { blocks, bytes, count, drawn, levels, levelText, machine, machineNames, machinePicker, picker, programName, refill, regionAt, regions, run, section, shade, span, walks } from './common.js';

const GAP = 64 * 2 ** 20; // bytes without a region between two rows of the address space

// Regions between which less than GAP lies: a row of the drawing.
function rowsOf(list) {
	const rows = [];

	for (const g of [...list].sort((a, b) => (a.from < b.from ? -1 : Number(a.from > b.from)))) {
		const last = rows.at(-1), end = g.from + BigInt(g.bytes);

		if (!last || g.from - last.end > BigInt(GAP))
			rows.push({ from: g.from, end, regions: [g] });
		else {
			last.end = end > last.end ? end : last.end;
			last.regions.push(g);
		}
	}
	return rows;
}

// Squares of a size, so many in a row, in svg; each { fill, label }, null: a gap.
function squares(box, list, size, columns, kind, then) {
	const rows = Math.ceil(list.length / columns), svg = box.append('svg').attr('class', 'squares')
		.attr('viewBox', `0 0 ${columns * size} ${rows * size}`).style('max-width', `${columns * size}px`);

	list.forEach((item, i) => item && svg.append('rect').datum(item).attr('class', kind).classed('on', item.on).attr('x', (i % columns) * size)
		.attr('y', Math.floor(i / columns) * size).attr('width', size - 1).attr('height', size - 1).attr('fill', item.fill)
		.on('pointerenter', () => then(item, false)).on('click', () => then(item, true)));
}

function pagesOf(box, block, by, size) {
	const on = block.on(machine), part = run.block_bytes / 512;
	const heat = by.pages ? by.pages(on) : on.page_bytes ? Array(512).fill(by.block(on)) : [];
	const most = by.pages ? Math.max(1, ...heat) : 19;

	box.append('h3').text(`Its parts of ${bytes(part)}${heat.length ? '' : ': not told, only the 128 hottest blocks are'}`);
	const detail = box.append('div').attr('class', 'detail');

	detail.append('span').attr('class', 'soft').text(`The largest page here was of ${bytes(on.page_bytes)}.`);
	squares(box, heat.map((level, i) => ({ fill: shade(level / most), level, i })), size, Math.min(64, Math.floor(box.node().clientWidth / size)), 'page', ({ level, i }) => {
		const from = block.from + BigInt(i * part);

		detail.text('').append('b').text(`0x${from.toString(16)}`);
		detail.append('span').text(by.pages ? `: ${levelText(level)} ${by.label}` : `: in a page of at most ${bytes(on.page_bytes)}`);
	});
}

// The blocks of a region, and the pages of one of them; a gap where nothing happened between two.
function blocksOf(box, g, by, opened, then) {
	const end = g.from + BigInt(g.bytes), size = BigInt(run.block_bytes);
	const list = blocks.filter((b) => b.program === g.program && b.from < end && g.from < b.from + size);
	const most = by.pages ? Math.max(1, ...list.map((b) => by.block(b.on(machine)))) : 19;
	const shadeOf = (b) => shade(by.pages ? Math.sqrt(by.block(b.on(machine)) / most) : by.block(b.on(machine)) / most);
	const items = list.flatMap((b, i) => [...(i && b.from !== list[i - 1].from + size ? [null] : []), { b, fill: shadeOf(b), on: b === opened }]);

	box.append('h3').text(`${g.label}: ${list.length === 1 ? 'a block' : `${count(list.length)} blocks`} of ${bytes(run.block_bytes)} in which something happened`);
	const detail = box.append('div').attr('class', 'detail');
	const tell = (b) => {
		const on = b.on(machine), others = regionAt(b.program, b.from, b.from + size).filter((other) => other !== g);

		detail.text('').append('b').text(b.start);
		detail.append('span').text(`: ${count(on.walks)} page walks, ${count(on.faults)} page faults, the largest page ${bytes(on.page_bytes)}` +
			`${others.length ? `; with ${[...new Set(others.map((other) => other.label))].slice(0, 4).join(', ')} in it` : ''}.`);
	};

	if (opened)
		tell(opened);
	else
		detail.append('span').attr('class', 'soft').text('Click a block to see its pages.');
	squares(box, items, 20, Math.min(48, Math.floor(box.node().clientWidth / 20)), 'block', ({ b }, click) => (click ? then(b) : tell(b)));
	if (opened)
		pagesOf(box, opened, by, 13);
}

export function addresses() {
	if (regions.length === 0)
		return;
	const s = section('Address space', `Each row is to its own scale, which is beside its address; between two rows nothing is ` +
		'mapped. Regions that are too small to see are a pixel wide. Click a region to see its blocks, and a block to see its pages.');
	const box = s.append('div').attr('class', 'controls');
	const mapped = [...new Set(regions.map((g) => g.program))].sort((a, b) => a - b);
	const colouring = [
		{ label: 'page walks', of: walks, block: (b) => b.walks, pages: (b) => levels(b.walks_by_page) },
		{ label: 'page faults', of: (g, m) => g.count(m).faults, block: (b) => b.faults, pages: (b) => levels(b.faults_by_page) },
		{ label: 'page size', of: (g, m) => g.count(m).peak_huge_bytes, show: bytes, block: (b) => Math.log2(b.page_bytes / 2048 || 1) },
	];
	const worth = (p) => regions.reduce((n, g) => n + (g.program === p ? walks(g, 0) : 0), 0);
	let program = mapped.reduce((a, b) => (worth(b) > worth(a) ? b : a)), by = colouring[0], width = 0;

	machinePicker(box);
	const which = picker(box, 'Program', mapped.map(programName), (i) => draw((program = mapped[i], width)));

	which.property('value', mapped.indexOf(program));
	picker(box, 'Colour', colouring.map((c) => c.label), (i) => draw((by = colouring[i], width)));
	const legend = s.append('p').attr('class', 'soft legend');
	const chart = s.append('div').attr('class', 'chart');
	const detail = s.append('div').attr('class', 'detail').attr('aria-live', 'polite');
	const inside = s.append('div').attr('class', 'inside');
	let opened = null, page = null; // the region and the block that are picked

	function tell(g, node) {
		const c = g.count(machine);

		chart.selectAll('rect').classed('on', false);
		select(node).classed('on', true);
		detail.text('');
		detail.append('b').text(g.label);
		detail.append('span').text(`, ${g.start} to ${g.end}, ${bytes(g.bytes)}: ${count(walks(g, machine))} page walks ` +
			`(${span(c.walk_cycles)} cycles), ${count(c.faults)} page faults, ${bytes(c.peak_huge_bytes)} in huge pages on ` +
			`${machineNames[machine]}.${g.madvised ? ' The program asked for huge pages here.' : ''}`);
	}
	function draw(w) {
		const list = regions.filter((g) => g.program === program), step = 58;
		const most = Math.max(1, ...list.map((g) => by.of(g, machine)));
		const heat = (x) => shade(Math.sqrt(x / most)), show = by.show ?? count;
		const rows = rowsOf(list);

		width = w;
		legend.text('').append('span').text('0');
		legend.append('span').attr('class', 'scale').style('background', 'linear-gradient(90deg, ' +
			`${[0.001, 0.25, 0.5, 0.75, 1].map((x) => shade(x)).join()})`);
		legend.append('span').text(`${show(most)} ${by.show ? 'in huge pages' : by.label}`);
		detail.text('').append('span').attr('class', 'soft').text('Point at a region, or tap it.');
		chart.text('');
		const svg = chart.append('svg').attr('viewBox', `0 0 ${width} ${rows.length * step}`);

		rows.forEach((row, i) => {
			const all = Number(row.end - row.from), x = scaleLinear([0, all], [0, width]), y = i * step;

			svg.append('text').attr('y', y + 16).text(`0x${row.from.toString(16)}`).append('tspan').attr('class', 'soft')
				.attr('dx', 8).text(`${bytes(all)} in this row`);
			svg.append('rect').attr('class', 'row').attr('y', y + 22).attr('width', width).attr('height', 26);
			for (const g of [...row.regions].sort((a, b) => b.bytes - a.bytes))
				svg.append('rect').datum(g).attr('class', 'region').attr('x', Math.min(x(Number(g.from - row.from)), width - 1))
					.attr('y', y + 22).attr('width', Math.max(1, x(g.bytes))).attr('height', 26)
					.attr('fill', heat(by.of(g, machine)))
					.on('pointerenter click', (event) => {
						tell(g, event.currentTarget);
						if (event.type === 'click')
							open(g, null);
					});
		});
		open(opened?.program === program ? opened : null, page);
	}
	function open(g, block) {
		opened = g;
		page = block;
		inside.text('');
		if (g)
			blocksOf(inside, g, by, block, (b) => open(g, b));
	}
	drawn(chart.node(), draw);
	refill.push(() => draw(width));
}
