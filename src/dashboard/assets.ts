/**
 * The files the pages need: a fixed list, read once, under names that change with their content, so that browsers may keep them
 * for ever. Nothing of a request is ever part of a path on disk.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { sha256Hex } from '../core/hash.ts';

export interface Asset {
  /** Relative to the root of the site: `assets/live.3f2a….js`. */
  readonly path: string;
  readonly type: string;
  readonly content: string;
}

const scriptType = 'text/javascript; charset=utf-8';
const styleType = 'text/css; charset=utf-8';

export const styleSheet = asset('tf', 'css', styleType, own('tf.css'));
export const icon = asset('icon', 'svg', 'image/svg+xml', own('icon.svg'));
/** Before the first paint, so not a module: it only says which theme was chosen. */
export const themeScript = asset('theme', 'js', scriptType, own('theme.js'));

/** The modules every page loads, each after those it imports. */
const mainParts = ['words', 'feed', 'page', 'live', 'forms', 'selection', 'filter', 'keys', 'main'];

/** What every page loads, as one module: a dozen files would weigh a fifth more. Names at the top of the parts differ. */
export const mainScript = asset(
  'main',
  'js',
  scriptType,
  [`${library('idiomorph/dist/idiomorph.min.js')}\nconst { morph } = Idiomorph;`, ...mainParts.map(part)].join('\n'),
);
/** Loaded when somebody asks for it. */
export const paletteScript = asset('palette', 'js', scriptType, bare(own('palette.js')));

/** Loaded where there is a chart. */
export const chartLibrary = asset(
  'uplot',
  'js',
  scriptType,
  `${library('uplot/dist/uPlot.iife.min.js')}\nexport default uPlot;\n`,
);
export const chartScript = asset('chart', 'js', scriptType, linkedTo('uplot', chartLibrary, bare(own('chart.js'))));
export const chartStyle = asset('uplot', 'css', styleType, library('uplot/dist/uPlot.min.css'));

/** Every file there is. */
export const assets: readonly Asset[] = [
  styleSheet,
  icon,
  themeScript,
  mainScript,
  paletteScript,
  chartLibrary,
  chartScript,
  chartStyle,
];

/** The answer for a file of the pages. */
export function assetResponse({ type, content }: Asset): Response {
  return new Response(content, {
    headers: { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' },
  });
}

function asset(name: string, extension: string, type: string, content: string): Asset {
  return { path: `assets/${name}.${sha256Hex(content, 12)}.${extension}`, type, content };
}

/** A module as a part of a larger one: what it imports stands before it. */
function part(name: string): string {
  return bare(own(`${name}.js`))
    .replace(/^import .*;$\n?/gm, '')
    .replace(/^export /gm, '');
}

/** Comments and indentation are for readers of the source: they would be a third of the weight. */
function bare(content: string): string {
  const lines = content.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !/^(\/\/|\/\*\*.*\*\/$)/.test(line)).join('\n');
}

/** The import of a file by the name it is served under. */
function linkedTo(name: string, { path }: Asset, content: string): string {
  return content.replace(`from './${name}.js'`, `from './${path.slice('assets/'.length)}'`);
}

function own(file: string): string {
  return readFileSync(new URL(`./assets/${file}`, import.meta.url), 'utf8');
}

/** A file of an installed package, as that was published. */
function library(path: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(path), 'utf8');
}
