/** The files the pages need, under names that change with their content, so that browsers may keep them for ever. */

import { readFileSync } from 'node:fs';
import { sha256Hex } from '../core/hash.ts';

interface Asset {
  /** Relative to the root of the site. */
  readonly path: string;
  readonly type: string;
  readonly content: string;
}

export const styleSheet = asset('tf', 'css', 'text/css; charset=utf-8');
export const icon = asset('icon', 'svg', 'image/svg+xml');

/** The answer for a file of the pages. */
export function assetResponse({ type, content }: Asset): Response {
  return new Response(content, {
    headers: { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' },
  });
}

function asset(name: string, extension: string, type: string): Asset {
  const content = readFileSync(new URL(`./assets/${name}.${extension}`, import.meta.url), 'utf8');
  return { path: `assets/${name}.${sha256Hex(content, 12)}.${extension}`, type, content };
}
