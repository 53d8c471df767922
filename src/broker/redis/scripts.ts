/**
 * The Lua of the store: one file for each operation of the seam, and the parts that these are built on. A server keeps all of it as one
 * library of functions. Where it may not keep one, an operation goes as a script of its own, made of the same text.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { limits } from '../../core/limits.ts';

/** What every operation may use, in the order in which these need one another. */
const shared = [
  'prelude',
  'crowds',
  'edges',
  'turns',
  'packs',
  'rules',
  'leases',
  'change',
  'release',
  'write',
  'limits',
  'line',
  'fair',
  'take-packs',
  'standing',
  'take',
  'describe',
  'parents',
  'arrive',
  'accept',
  'plain',
  'claim-new',
  'worker',
  'schedule',
  'erase',
] as const;

const operations = [
  'open',
  'info',
  'enqueue',
  'hand-over',
  'claim',
  'heartbeat',
  'settle',
  'promote',
  'claim-overdue',
  'prune',
  'restore',
  'cancel',
  'retry',
  'remove',
  'update',
  'configure',
  'get-tasks',
  'get-queues',
  'peek',
  'get-groups',
  'get-limits',
  'bodies',
  'raw-bodies',
  'get-shapes',
  'trim',
  'outbox-state',
  'get-workers',
  'control',
  'put-schedules',
  'restore-schedules',
  'change-schedules',
  'fire',
  'due-schedules',
  'get-schedules',
  'list-schedules',
  'inspect',
] as const;

export type ScriptName = (typeof operations)[number];

/** The text of a script and the digest by which Redis knows it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** One version of all operations. */
export interface Scripts {
  /** As a library of functions. Its name has a digest of its text, so that versions stand side by side. */
  readonly library: { readonly name: string; readonly text: string };
  /** What an operation is called in the library. */
  readonly functions: Readonly<Record<ScriptName, string>>;
  /** An operation by itself. */
  script(name: ScriptName): Script;
}

/** What the names of all libraries begin with. */
export const libraryPrefix = 'taskflow_';

/** What a store keeps that is not the record, and of how many tasks it makes packs: see `limits`. */
export interface OutboxLimits {
  readonly outboxMax: number;
  readonly liveKeepMs: number;
  readonly packMin?: number;
  readonly bareMin?: number;
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
  'peekScheduledMax',
  'bodiesBytesMax',
  'firingsKept',
  'handOverMax',
  'handOverBytesMax',
  'packMin',
  'bareMin',
] as const;

const made = new Map<string, Scripts>();

/** The operations with these limits in them: put together once in a process. */
export function loadScripts(outboxLimits: OutboxLimits = limits): Scripts {
  const numbers = { ...limits, ...outboxLimits };
  const settings = limitNames.map((name) => `${name} = ${numbers[name]}`).join(', ');
  const known = made.get(settings) ?? assemble(settings);
  made.set(settings, known);
  return known;
}

function assemble(settings: string): Scripts {
  const { text, numbers } = inline(writeOutFresh(shared.map(readLua).join('\n')), new Map());
  const base = `local limits = { ${settings} }\n${text}`;
  const read = operations.map((name) => [name, readOperation(name, numbers)] as const);
  const all = [base, registering, ...read.map(([name, operation]) => register(name, operation))].join('\n');
  const name = `${libraryPrefix}${digest(all).slice(0, 16)}`;
  const byName = new Map<string, Operation>(read);
  const scripts = new Map<ScriptName, Script>();
  return {
    library: { name, text: `#!lua name=${name}\nlocal library = '${name}'\n${all}` },
    functions: Object.fromEntries(operations.map((operation) => [operation, functionName(name, operation)])) as Record<
      ScriptName,
      string
    >,
    script(operation) {
      const script = scripts.get(operation) ?? alone(base, byName.get(operation) as Operation);
      scripts.set(operation, script);
      return script;
    },
  };
}

/**
 * The text of an operation is a chunk that answers the function to call, and the one to try first, which keeps nothing; its first line says what
 * Redis may let that do.
 */
interface Operation {
  readonly firstLine: string;
  readonly text: string;
}

function readOperation(name: ScriptName, numbers: ReadonlyMap<string, string>): Operation {
  const [firstLine = '', ...lines] = readLua(name).split('\n');
  return { firstLine, text: inline(lines.join('\n'), numbers).text };
}

const registering = `
local function register(name, flags, run, first)
  redis.register_function({
    function_name = library .. '_' .. name,
    flags = flags,
    callback = function(keys, args)
      local refusal = begin(keys, args)
      if refusal then return refusal end
      local answer = first and first()
      if answer then return answer end
      beginAnew()
      return run()
    end,
  })
end`;

function register(name: ScriptName, { firstLine, text }: Operation): string {
  const flags = /flags=(\S+)/.exec(firstLine)?.[1]?.split(',') ?? [];
  const list = flags.map((flag) => `'${flag}'`).join(', ');
  return `register('${luaName(name)}', { ${list} }, (function()\n${text}\nend)())`;
}

function alone(base: string, { firstLine, text }: Operation): Script {
  // What the parts call ARGV is a local of theirs.
  const run = `local refusal = begin(KEYS, given)\nif refusal then return refusal end\nbeginAnew()\nreturn (function()\n${text}\nend)()()`;
  const whole = `${firstLine}\nlocal given = ARGV\n${base}\n${run}`;
  return { text: whole, sha: digest(whole) };
}

function functionName(library: string, operation: ScriptName): string {
  return `${library}_${luaName(operation)}`;
}

/** Names of functions have no dashes. */
function luaName(operation: ScriptName): string {
  return operation.replaceAll('-', '_');
}

function digest(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

const freshLine = /^( *)(\S.*?) = (fresh\(.*)$/gm;

/** Of a line `a, b = fresh(a), nil`: the tables that are empty stay. */
function writeOutFresh(text: string): string {
  return text.replace(freshLine, (_line, indent: string, names: string, values: string) => {
    const list = values.split(', ');
    const parts = names
      .split(', ')
      .map((name, place) =>
        list[place] === 'nil' ? `${name} = nil` : `if not ${name} or next(${name}) then ${name} = {} end`,
      );
    return `${indent}${parts.join(' ')}`;
  });
}

const numberedNames = /^local ([A-Z][A-Z_]*(?:, [A-Z][A-Z_]*)*) = (\d+(?:, \d+)*)$/gm;
const stringsCommentsAndNames = /'(?:[^'\\]|\\.)*'|--.*|\b[A-Z][A-Z_]*\b/g;

/**
 * Puts the numbers of places in lists where their names stand, and leaves comments out. As locals they would cost a read each time,
 * and Lua has room for 200 in a chunk. Answers all names that are known behind the text.
 */
function inline(
  text: string,
  known: ReadonlyMap<string, string>,
): { text: string; numbers: ReadonlyMap<string, string> } {
  const numbers = new Map(known);
  const rest = text.replace(numberedNames, (_line, names: string, values: string) => {
    const list = values.split(', ');
    for (const [place, name] of names.split(', ').entries()) numbers.set(name, list[place] ?? name);
    return '';
  });
  const replaced = rest.replace(stringsCommentsAndNames, (found) =>
    found.startsWith('--') ? '' : (numbers.get(found) ?? found),
  );
  return { text: replaced, numbers };
}

function readLua(name: string): string {
  return readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
}
