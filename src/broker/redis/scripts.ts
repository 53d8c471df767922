/** The Lua scripts: one file for each operation of the seam, and the parts that it is built on. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { limits } from '../../core/limits.ts';

const base = ['prelude', 'edges', 'turns', 'rules', 'change', 'release', 'write'];
const claiming = ['limits', 'line', 'fair', 'take', 'describe', 'parents'];

/** The parts of each operation, in the order in which they need one another. */
const partsOf = {
  open: ['prelude'],
  info: ['prelude'],
  enqueue: [...base, 'arrive', 'accept'],
  'hand-over': [...base, ...claiming, 'arrive', 'accept'],
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
  'get-queues': ['prelude', 'edges', 'turns', 'rules', 'change', 'limits'],
  'get-groups': ['prelude'],
  'get-limits': ['prelude', 'limits'],
  bodies: ['prelude', 'describe'],
  'raw-bodies': ['prelude'],
  'get-shapes': ['prelude'],
  trim: ['prelude'],
  'outbox-state': ['prelude'],
  'get-workers': ['prelude', 'worker'],
  control: [...base, 'worker'],
  'put-schedules': [...base, 'schedule'],
  'restore-schedules': [...base, 'schedule'],
  'change-schedules': [...base, 'schedule'],
  fire: [...base, 'arrive', 'schedule'],
  'due-schedules': ['prelude', 'schedule'],
  'get-schedules': ['prelude', 'schedule'],
  'list-schedules': ['prelude', 'schedule'],
  inspect: ['prelude', 'edges', 'turns', 'rules', 'change', 'limits', 'describe', 'worker'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type ScriptName = keyof typeof partsOf;

/** The text of a script and the digest by which Redis knows it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** What a store keeps that is not the record: see `limits`. */
export interface OutboxLimits {
  readonly outboxMax: number;
  readonly liveKeepMs: number;
}

/** The limits that scripts keep: the same numbers as everywhere else. */
const limitNames = [
  'graceMs',
  'presenceMs',
  'claimScanMax',
  'claimReadsMax',
  'claimGroupsMax',
  'claimHeadMax',
  'parentsMax',
  'claimParentsBytesMax',
  'flowCancelMax',
  'eventsKeepMs',
  'releaseMax',
  'outboxMax',
  'liveKeepMs',
  'logLinesMax',
  'relativesMax',
  'holdersMax',
  'aheadMax',
  'bodiesBytesMax',
  'firingsKept',
] as const;

export type Scripts = Readonly<Record<ScriptName, Script>>;

const made = new Map<string, Scripts>();

/** All scripts. Each is put together when it is first asked for, once in a process: all of them would take 40 ms of its start. */
export function loadScripts(outboxLimits: OutboxLimits = limits): Scripts {
  const numbers = { ...limits, ...outboxLimits };
  const settings = limitNames.map((name) => `${name} = ${numbers[name]}`).join(', ');
  const known = made.get(settings);
  if (known !== undefined) return known;
  const scripts = {} as Record<ScriptName, Script>;
  for (const [name, parts] of Object.entries(partsOf)) {
    let script: Script | null = null;
    const get = (): Script => (script ??= assemble(name, parts, settings));
    Object.defineProperty(scripts, name, { enumerable: true, get });
  }
  made.set(settings, scripts);
  return scripts;
}

/**
 * The first line of the operation says what Redis may let it do, and stays the first of all. What is behind the prelude is a function
 * of its own: closures in it take over what that has of the prelude, where Lua would search all that is captured for each.
 */
function assemble(name: string, parts: readonly string[], settings: string): Script {
  const [flags = '', ...lines] = readLua(name).split('\n');
  const rest = [...parts.filter((part) => part !== 'prelude').map(readLua), ...lines].join('\n');
  const whole = [readLua('prelude'), 'return (function()', rest, 'end)()'].join('\n');
  const text = [flags, `local limits = { ${settings} }`, inline(whole)].join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

const numberedNames = /^local ([A-Z][A-Z_]*(?:, [A-Z][A-Z_]*)*) = (\d+(?:, \d+)*)$/gm;
const stringsCommentsAndNames = /'(?:[^'\\]|\\.)*'|--.*|\b[A-Z][A-Z_]*\b/g;

/**
 * Puts the numbers of places in lists where their names stand, and leaves comments out. As locals they would cost a read each time,
 * and Lua has room for 200 in a script.
 */
function inline(text: string): string {
  const numbers = new Map<string, string>();
  const rest = text.replace(numberedNames, (_line, names: string, values: string) => {
    const list = values.split(', ');
    for (const [place, name] of names.split(', ').entries()) numbers.set(name, list[place] ?? name);
    return '';
  });
  return rest.replace(stringsCommentsAndNames, (found) =>
    found.startsWith('--') ? '' : (numbers.get(found) ?? found),
  );
}

const texts = new Map<string, string>();

function readLua(name: string): string {
  const text = texts.get(name) ?? readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
  texts.set(name, text);
  return text;
}
