// SPDX-License-Identifier: MIT
//
// report/html/build.mjs PAGES.h: the pages of `quire run --html` and `quire play --html` as two C arrays each, what stands
// before the data and what stands behind it. Needs the folder's node_modules: tools/setup.sh --html.
//
// All is in the one file: page.html with page.css and page.js or play.js, the libraries that this imports, and their
// licences. Its policy lets nothing run but that script, by its hash, and lets nothing be fetched.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname);
const options = { absWorkingDir: here, bundle: true, minify: true, write: false, legalComments: 'none' };
const style = (await build({ ...options, entryPoints: ['page.css'] })).outputFiles[0].text.trim();
const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const array = (name, text) => `static const char ${name}[] = {\n${[...Buffer.from(text)]
	.map((byte) => (byte < 128 ? byte : byte - 256)).join(',').replace(/(.{100,}?,)/g, '$1\n')}};\n`;

// The script that a page begins with, and the licences of what it is bundled with.
async function bundle(entry) {
	const script = await build({ ...options, entryPoints: [entry], format: 'iife', target: 'es2020', charset: 'utf8', metafile: true });
	const packages = new Set(Object.keys(script.metafile.inputs).flatMap((path) => path.match(/.*node_modules\/[^/]+/)?.[0] ?? []));
	const licences = [...packages].sort().map((folder) => {
		const text = ['LICENSE', 'LICENSE.md', 'LICENSE.txt'].map((name) => join(here, folder, name)).find(existsSync);
		if (!text)
			throw new Error(`${folder} has no licence file`);
		return `${folder.replace(/.*node_modules\//, '')}\n\n${readFileSync(text, 'utf8').trim()}`;
	});

	// Within <script> nothing may look like its end, nor like a comment's beginning.
	return `/*!\n${licences.join('\n\n').replaceAll('*/', '* /')}\n*/\n${script.outputFiles[0].text.trim()}`
		.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

let out = '';
for (const [name, entry] of [['run', 'page.js'], ['play', 'play.js']]) {
	const script = await bundle(entry);
	const fill = {
		POLICY: `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`,
		STYLE: style,
		SCRIPT: script,
	};
	const parts = readFileSync(join(here, 'page.html'), 'utf8').split('@DATA@')
		.map((part) => part.replace(/@([A-Z]+)@/g, (_, key) => fill[key]));

	out += array(`${name}_head`, parts[0]) + array(`${name}_tail`, parts[1]);
}
writeFileSync(process.argv[2], out);
