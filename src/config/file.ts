/** Finds and reads `taskflow.config.{ts,js,mjs,json}`. */

import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { taskFlowError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest.ts';
import { loadModule } from '../worker/load.ts';
import type { Given, Mistake } from './origin.ts';
import { isSettingKey, settingKeys } from './settings.ts';

/** In the order of preference. */
export const configFileNames = [
  'taskflow.config.ts',
  'taskflow.config.js',
  'taskflow.config.mjs',
  'taskflow.config.json',
] as const;

/** The first folder from `start` upward with one of the names, and the names in it. */
export function findUpward(
  start: string,
  names: readonly string[],
): { readonly folder: string; readonly found: readonly string[] } | null {
  for (let folder = start; ; folder = dirname(folder)) {
    const found = names.filter((name) => existsSync(join(folder, name)));
    if (found.length > 0) return { folder, found };
    if (folder === dirname(folder)) return null;
  }
}

/** What the file exports. Throws INVALID_CONFIG when it cannot be run or read, or exports no object. */
export async function readConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  const content = path.endsWith('.json') ? readJsonFile(path) : await importFile(path);
  if (typeof content === 'object' && content !== null && !Array.isArray(content))
    return content as Readonly<Record<string, unknown>>;
  throw fileMistake(
    path,
    path.endsWith('.json')
      ? 'it must hold an object'
      : 'it must export its settings: export default defineConfig({ … })',
  );
}

function readJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw fileMistake(path, error instanceof Error ? error.message : String(error), error);
  }
}

async function importFile(path: string): Promise<unknown> {
  const loaded = await loadModule(path);
  if ('exports' in loaded) return loaded.exports.default;
  throw fileMistake(path, loaded.frame === null ? loaded.problem : `${loaded.problem}\n${loaded.frame}`, loaded.cause);
}

/** The settings in a file's object, and a mistake for every key nobody knows. `undefined` means not given. */
export function givenByFile(
  content: Readonly<Record<string, unknown>>,
  path: string,
  workingFolder: string,
): { given: Given[]; mistakes: Mistake[] } {
  const file = shownPath(path, workingFolder);
  const given: Given[] = [];
  const mistakes: Mistake[] = [];
  const walk = (value: unknown, key: string): void => {
    if (value === undefined) return;
    if (isSettingKey(key)) given.push({ key, value, folder: dirname(path), origin: { kind: 'file', name: key, file } });
    else if (!settingKeys.some((known) => known.startsWith(`${key}.`))) {
      mistakes.push({ where: `${file}: ${key}`, problem: `is not a setting.${nearestKey(key)}` });
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, inner] of Object.entries(value)) walk(inner, `${key}.${name}`);
    } else
      mistakes.push({ where: `${file}: ${key}`, problem: `must be an object with ${namesWithin(key).join(', ')}` });
  };
  for (const [name, value] of Object.entries(content)) walk(value, name);
  return { given, mistakes };
}

/** A path as a person in `workingFolder` would type it. */
export function shownPath(path: string, workingFolder: string): string {
  const short = relative(workingFolder, path);
  return short === '' ? '.' : short.startsWith('../../..') ? path : short;
}

function nearestKey(key: string): string {
  const groups = settingKeys.map((known) => known.split('.')[0] ?? known);
  const near = didYouMean(key, [...settingKeys, ...new Set(groups)]);
  if (near !== '') return near;
  const last = key.slice(key.lastIndexOf('.') + 1);
  const owner = settingKeys.find((known) => known.endsWith(`.${last}`));
  return owner === undefined ? '' : ` Did you mean ${owner}?`;
}

function namesWithin(key: string): string[] {
  return [
    ...new Set(
      settingKeys
        .filter((known) => known.startsWith(`${key}.`))
        .map((known) => known.slice(key.length + 1).split('.')[0] ?? ''),
    ),
  ];
}

function fileMistake(path: string, problem: string, cause?: unknown) {
  return taskFlowError(
    'INVALID_CONFIG',
    { count: 1, problems: `  ${basename(path)}: ${problem}` },
    { cause, details: [{ where: basename(path), problem }] },
  );
}
