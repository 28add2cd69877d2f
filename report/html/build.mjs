// SPDX-License-Identifier: MIT
//
// report/html/build.mjs PAGE.h: the page of `quire run --html` as two C arrays, what stands before the run's data and
// what stands behind it. Needs the folder's node_modules: tools/setup.sh --html.
//
// All is in the one file: page.html with page.css and page.js, the libraries that this imports, and their licences.
// Its policy lets nothing run but that script, by its hash, and lets nothing be fetched.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname);
const options = { absWorkingDir: here, bundle: true, minify: true, write: false, legalComments: 'none' };
const script = await build({ ...options, entryPoints: ['page.js'], format: 'iife', target: 'es2020', charset: 'utf8', metafile: true });
const style = await build({ ...options, entryPoints: ['page.css'] });

const packages = new Set(Object.keys(script.metafile.inputs).flatMap((path) => path.match(/.*node_modules\/[^/]+/)?.[0] ?? []));
const licences = [...packages].sort().map((folder) => {
	const text = ['LICENSE', 'LICENSE.md', 'LICENSE.txt'].map((name) => join(here, folder, name)).find(existsSync);
	if (!text)
		throw new Error(`${folder} has no licence file`);
	return `${folder.replace(/.*node_modules\//, '')}\n\n${readFileSync(text, 'utf8').trim()}`;
});

// Within <script> nothing may look like its end, nor like a comment's beginning.
const js = `/*!\n${licences.join('\n\n').replaceAll('*/', '* /')}\n*/\n${script.outputFiles[0].text.trim()}`
	.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
const css = style.outputFiles[0].text.trim();
const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const fill = {
	POLICY: `default-src 'none'; script-src ${hash(js)}; style-src ${hash(css)}; base-uri 'none'; form-action 'none'`,
	STYLE: css,
	SCRIPT: js,
};
const parts = readFileSync(join(here, 'page.html'), 'utf8').split('@DATA@')
	.map((part) => part.replace(/@([A-Z]+)@/g, (_, name) => fill[name]));
const array = (name, text) => `static const char ${name}[] = {\n${[...Buffer.from(text)]
	.map((byte) => (byte < 128 ? byte : byte - 256)).join(',').replace(/(.{100,}?,)/g, '$1\n')}};\n`;
writeFileSync(process.argv[2], array('page_head', parts[0]) + array('page_tail', parts[1]));
