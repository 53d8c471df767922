/** The Lua scripts: one file for each operation of the seam, and the parts that it is built on. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { limits } from '../../core/limits.ts';

const base = ['prelude', 'edges', 'turns', 'change', 'release', 'write'];
const claiming = ['limits', 'line', 'fair', 'take', 'describe', 'parents'];

/** The parts of each operation, in the order in which they need one another. */
const partsOf = {
  open: ['prelude'],
  info: ['prelude'],
  enqueue: [...base, 'arrive'],
  claim: [...base, ...claiming],
  heartbeat: [...base, 'worker'],
  settle: [...base, ...claiming, 'arrive'],
  promote: base,
  'claim-overdue': [...base, 'describe'],
  prune: [...base, 'erase', 'worker'],
  restore: [...base, 'limits'],
  cancel: base,
  retry: base,
  remove: [...base, 'erase'],
  update: base,
  configure: [...base, 'limits'],
  'get-tasks': ['prelude', 'describe'],
  'get-queues': ['prelude', 'edges', 'turns', 'change', 'limits'],
  'get-groups': ['prelude'],
  'get-limits': ['prelude', 'limits'],
  'get-workers': ['prelude'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type ScriptName = keyof typeof partsOf;

/** The text of a script and the digest by which Redis knows it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** The limits that scripts keep: the same numbers as everywhere else. */
const limitsInLua = (
  [
    'graceMs',
    'presenceMs',
    'claimScanMax',
    'claimReadsMax',
    'parentsMax',
    'claimParentsBytesMax',
    'flowCancelMax',
    'eventsKeepMs',
  ] as const
)
  .map((name) => `${name} = ${limits[name]}`)
  .join(', ');

/** Reads all scripts. */
export function loadScripts(): Readonly<Record<ScriptName, Script>> {
  const entries = Object.entries(partsOf).map(([name, parts]) => [name, assemble(name, parts)] as const);
  return Object.fromEntries(entries) as Record<ScriptName, Script>;
}

/** The first line of the operation says what Redis may let it do, and stays the first of all. */
function assemble(name: string, parts: readonly string[]): Script {
  const [flags = '', ...lines] = readLua(name).split('\n');
  const text = [flags, `local limits = { ${limitsInLua} }`, ...parts.map(readLua), ...lines].join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

function readLua(name: string): string {
  return readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
}
