/** Loads one module: as Node does, and with a transform only when Node cannot. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { lendOwnPackage } from './own-package.ts';

export type Loaded =
  | { readonly exports: Readonly<Record<string, unknown>> }
  /** Why it failed, with the lines around the mistake when their place is known. */
  | { readonly problem: string; readonly frame: string | null; readonly cause: unknown };

/** What Node refuses before it runs a line of the file, so that trying again with a transform repeats no effect. */
const transformable: ReadonlySet<string> = new Set([
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
]);

/** Never throws: whatever the module does while it loads becomes a problem in words. */
export async function loadModule(path: string): Promise<Loaded> {
  lendOwnPackage();
  try {
    return { exports: (await import(pathToFileURL(path).href)) as Record<string, unknown> };
  } catch (error) {
    if (!needsTransform(error)) return failure(path, error, null);
    return await loadTransformed(path, error);
  }
}

async function loadTransformed(path: string, nativeError: unknown): Promise<Loaded> {
  try {
    // Loaded here and not above: most projects never need it.
    const { createJiti } = await import('jiti');
    const jiti = createJiti(path, { interopDefault: false, fsCache: false });
    return { exports: await jiti.import<Record<string, unknown>>(path) };
  } catch (error) {
    // Its parser names the line, which Node keeps to itself; but what it cannot find, Node has said better.
    return failure(path, nativeError, placeOfParser(error));
  }
}

/** A SyntaxError is raised before anything runs: a mistake, or an export of a CommonJS module that Node cannot see. */
function needsTransform(error: unknown): boolean {
  return (
    error instanceof SyntaxError ||
    (error instanceof Error && transformable.has(String((error as NodeJS.ErrnoException).code)))
  );
}

interface Place {
  readonly file: string;
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

async function failure(path: string, error: unknown, place: Place | null): Promise<Loaded> {
  const problem = wordsOf(error);
  const where = place ?? placeOfFrame(path, error);
  return { problem, frame: where === null ? null : await frameAt(where), cause: error };
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${String(error)}`;
  const missing = /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
  if (missing !== undefined) return `${error.message}. Install it: npm install ${missing}`;
  return error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}

/** jiti's parser ends its message with a line "file:line:column", its column from 0. */
function placeOfParser(error: unknown): Place | null {
  const match = error instanceof Error ? /\n\s*(.+?):(\d+):(\d+)\s*$/.exec(error.message) : null;
  if (match === null) return null;
  return { file: pathOf(match[1] ?? ''), line: Number(match[2]), column: Number(match[3]) + 1 };
}

/** The first frame of the stack that lies in the file: where it threw while it was loading. */
function placeOfFrame(path: string, error: unknown): Place | null {
  if (!(error instanceof Error) || error.stack === undefined) return null;
  for (const line of error.stack.split('\n', 20)) {
    const match = /(file:\/\/[^\s)]+|\/[^\s)]+|[A-Za-z]:\\[^\s)]+):(\d+):(\d+)\)?$/.exec(line);
    if (match === null) continue;
    const file = pathOf(match[1] ?? '');
    if (file === path) return { file, line: Number(match[2]), column: Number(match[3]) };
  }
  return null;
}

function pathOf(urlOrPath: string): string {
  return urlOrPath.startsWith('file:') ? fileURLToPath(urlOrPath) : urlOrPath;
}

const linesAround = 2;

async function frameAt({ file, line, column }: Place): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n');
  if (line < 1 || line > lines.length) return null;
  const width = String(line + linesAround).length;
  const shown: string[] = [`${file}:${line}:${column}`];
  for (let number = Math.max(1, line - linesAround); number <= Math.min(lines.length, line + linesAround); number++) {
    shown.push(
      `${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${(lines[number - 1] ?? '').slice(0, 200)}`,
    );
    if (number === line) shown.push(`  ${' '.repeat(width)} | ${' '.repeat(Math.min(column - 1, 200))}^`);
  }
  return shown.join('\n');
}
