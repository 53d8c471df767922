// A file as the tidy rules see it: its path, its text and, for TypeScript and JavaScript, its syntax tree.

import { parseAst } from 'vitest/node';

/** A node of the ESTree that the parser returns. Only the fields a rule asks for are looked at. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Every node with its ancestors, nearest first; empty when the file is not code. */
  readonly nodes: readonly { readonly node: Node; readonly parents: readonly Node[] }[];
}

/** Reads a file's text into a Source. Throws on a syntax error, with the path. */
export function readSource(path: string, text: string): Source {
  const code = /\.(ts|tsx|js|mjs)$/.exec(path);
  if (code === null) return { path, text, nodes: [] };
  const lang = code[1] === 'tsx' ? 'tsx' : code[1] === 'ts' ? 'ts' : 'js';
  try {
    const program: unknown = parseAst(text, { lang });
    const nodes: Source['nodes'][number][] = [];
    collect(program as Node, [], nodes);
    return { path, text, nodes };
  } catch (cause) {
    throw new Error(`${path} does not parse`, { cause });
  }
}

function collect(node: Node, parents: readonly Node[], into: Source['nodes'][number][]): void {
  into.push({ node, parents });
  const below = [node, ...parents];
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) collect(child, below, into);
    }
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

/** The name of an identifier or the value of a string literal, else an empty string. */
export function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  const name = node.type === 'Identifier' ? node.name : node.type === 'Literal' ? node.value : '';
  return typeof name === 'string' ? name : '';
}

export function lineOf(source: Source, node: Node): number {
  return source.text.slice(0, node.start).split('\n').length;
}

/** What a file imports: the specifier as written, and whether only types cross. */
export function importsOf(source: Source): { specifier: string; typeOnly: boolean }[] {
  const found: { specifier: string; typeOnly: boolean }[] = [];
  for (const { node } of source.nodes) {
    const isImport = /^(Import|ExportNamed|ExportAll)Declaration$|^ImportExpression$|^TSImportType$/.test(node.type);
    const specifier = isImport ? nameOf(node.source ?? node.argument) : '';
    const typeOnly = node.importKind === 'type' || node.exportKind === 'type' || node.type === 'TSImportType';
    if (specifier !== '') found.push({ specifier, typeOnly });
  }
  return found;
}

/** True for tests and what only they use. */
export function isTest(path: string): boolean {
  return path.startsWith('test/') || /\.test\.tsx?$/.test(path);
}
