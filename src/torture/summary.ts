/** A run in a dated page of Markdown: what was done to which setup, what came of it, and how to do it again. */

import type { Rule } from '../checker/verdict.ts';
import { formatDuration } from '../core/duration.ts';
import { endedOf } from './pace.ts';
import { type FaultKind, faultKinds, faults } from './plan.ts';
import { promisesOf } from './promises.ts';
import type { Report } from './torture.ts';

export interface Setting {
  /** ISO 8601. */
  readonly at: string;
  readonly version: string;
  readonly node: string;
  /** Processors and memory, in words. */
  readonly machine: string;
}

/** The command that runs the same schedule again. */
export function repeatCommand({ plan }: Pick<Report, 'plan'>): string {
  const rate = Math.round(plan.clients.reduce((sum, client) => sum + client.rate, 0));
  const broker = plan.ground === 'sqlite' ? '' : ` --broker ${plan.ground}`;
  const store = plan.record === null ? '' : ` --store ${plan.record}`;
  return `npx taskflow torture --minutes ${plan.stormMs / 60_000} --seed ${plan.seed} --rate ${rate}${broker}${store}`;
}

const failures = {
  lost: ['S1', 'S2'],
  'run or accepted twice': ['S3', 'S4', 'S5', 'S6'],
  stuck: ['L4'],
  'charged wrongly': ['S8'],
  'slots, keys or counts wrong': ['S11', 'S12', 'S17', 'S21'],
} as const satisfies Record<string, readonly Rule[]>;

/** What the run is for, in numbers that are zero when all is well. */
export function failuresOf({ verdict }: Report): Readonly<Record<string, number>> {
  const counted = Object.entries(failures).map(
    ([what, rules]) => [what, rules.reduce((sum, rule) => sum + (verdict.brokenBy[rule] ?? 0), 0)] as const,
  );
  const known = counted.reduce((sum, [, broken]) => sum + broken, 0);
  return { ...Object.fromEntries(counted), 'of another kind': verdict.broken - known };
}

export function perSecond({ verdict, totalMs }: Report): number {
  return (endedOf(verdict.counts) * 1_000) / totalMs;
}

/** How often each fault happened, those that did. */
export function firedFaults({ fired }: Report): readonly (readonly [kind: FaultKind, times: number])[] {
  return faultKinds.map((kind) => [kind, fired[kind] ?? 0] as const).filter(([, times]) => times > 0);
}

const number = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const duration = (ms: number): string => formatDuration(Math.round(ms / 1_000) * 1_000);

export function summaryOf(report: Report, { at, version, node, machine }: Setting): string {
  const { plan, verdict, codes, exits, durability } = report;
  const { stored = 0, accepted = 0, claims = 0, runs = 0, judged = 0 } = verdict.counts;
  return [
    `# Torture of ${at.slice(0, 10)}, seed ${plan.seed}: ${verdict.result}`,
    '',
    `\`${repeatCommand(report)}\` at ${at}, TaskFlow ${version}, Node ${node}, ${machine}, ${durability}.`,
    '',
    `${number(stored)} tasks were stored (${number(accepted)} acknowledged), claimed ${number(claims)} times and run ` +
      `${number(runs)} times, in ${duration(report.totalMs)}: ${number(perSecond(report))} tasks a second from end to end, ` +
      `faults and all. After ${duration(report.stormMs)} of storm everything was final within ${duration(report.drainMs)}.`,
    '',
    ...table(['must be 0', ''], Object.entries(failuresOf(report))),
    ...problemsOf(report),
    '## What ran',
    '',
    setupOf(report),
    '',
    ...table(['tasks', 'stored'], largestFirst(verdict.kinds)),
    ...table(
      ['how they ended', 'times'],
      ends.map(([what, name]) => [what, verdict.counts[name] ?? 0]),
    ),
    '## What went wrong on purpose',
    '',
    ...table(
      ['fault', 'times'],
      firedFaults(report).map(([kind, times]) => [faults[kind].says, times]),
    ),
    `So processes ended: ${inWords(exits)}. Each was started again after up to ${duration(plan.awayMs)}. Engines took over ` +
      `${number(judged)} tasks from workers that could not speak for them any more. ${unansweredWords(codes)}`,
    '',
    '## What was promised, and on how much it was judged',
    '',
    '| promise | judged on | broken |',
    '|---|--:|--:|',
    ...promisesOf(report).map(
      ({ rule, says, times, of }) => `| ${says} (${rule}) | ${number(times)} ${of} | ${verdict.brokenBy[rule] ?? 0} |`,
    ),
    '',
    '## Pace and waits',
    '',
    ...paceOf(report),
    '',
  ].join('\n');
}

const ends = [
  ['succeeded', 'succeeded'],
  ['failed, their attempts used up or for good', 'failed'],
  ['quarantined: three processes died under them', 'quarantined'],
  ['cancelled', 'cancelled'],
  ['expired', 'expired'],
  ['a failure that was tried again', 'again:error'],
  ['a timeout that was tried again', 'again:timeout'],
  ['snoozed', 'again:snooze'],
  ['handed back by a stopping worker', 'again:released'],
  ['lost with their worker, and run again', 'again:lease_lost'],
  ['lost with a process of their own, and run again', 'again:crashed'],
  ['retried by a person', 'retriedByHand'],
] as const;

type Cell = readonly [what: string, times: number];

function table([what, times]: readonly [string, string], cells: readonly Cell[]): readonly string[] {
  return [`| ${what} | ${times} |`, '|---|--:|', ...cells.map(([name, count]) => `| ${name} | ${number(count)} |`), ''];
}

function largestFirst(counts: Readonly<Record<string, number>>): readonly Cell[] {
  return Object.entries(counts).sort(([, left], [, right]) => right - left);
}

function inWords(counts: Readonly<Record<string, number>>): string {
  return largestFirst(counts)
    .map(([what, times]) => `${what} ${number(times)} times`)
    .join(', ');
}

function unansweredWords(codes: Readonly<Record<string, number>>): string {
  return Object.keys(codes).length === 0 ? '' : `Calls of clients that were not answered: ${inWords(codes)}.`;
}

function setupOf({ plan, ticks, recounted, verdict }: Report): string {
  const { workers, slots, servers, clients, leaseMs, periods, periodMs } = plan;
  const calm = periods.filter((kinds) => kinds.length === 0).length;
  const shapes = clients.map(({ shape, isRemote }) => `${shape} ${isRemote ? 'over HTTP' : 'in the store'}`);
  return (
    `${workers} workers of ${slots} slots, ${servers} server${servers === 1 ? '' : 's'}, ${clients.length} clients ` +
    `(${shapes.join(', ')}), leases of ${formatDuration(leaseMs)}. ${periods.length} periods of ${duration(periodMs)}, ${calm} of them ` +
    `calm. ${number(ticks)} of the tasks were fired by a schedule; ${number(verdict.counts.ownProcess ?? 0)} runs had a process of ` +
    `their own. While it went on, ${number(recounted)} rows were counted again.`
  );
}

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** By thirds of the storm: an engine that slows down with its history would show here. */
function paceOf({ plan, pace, verdict }: Report): readonly string[] {
  const size = Math.ceil(pace.length / 3);
  const thirds = ['first', 'second', 'last'].map((name, index) => {
    const part = pace.slice(index * size, (index + 1) * size);
    const isCalm = (at: number): boolean => plan.periods[index * size + at]?.length === 0;
    const [calm, trouble] = [part.filter((_, at) => isCalm(at)), part.filter((_, at) => !isCalm(at))];
    const cell = (values: readonly number[]): string => (values.length === 0 ? '–' : number(average(values)));
    return `| ${name} third | ${cell(calm)} | ${cell(trouble)} |`;
  });
  const { median, p99, longest } = verdict.waits;
  return [
    '| tasks that ended a second | calm periods | periods with trouble |',
    '|---|--:|--:|',
    ...thirds,
    '',
    `From queued to claimed it took ${formatDuration(median)} in the median, ${formatDuration(p99)} for one in a hundred, and ` +
      `${formatDuration(longest)} at most: pauses, full limits and the absence of every worker are in it.`,
  ];
}

function problemsOf({ verdict }: Report): readonly string[] {
  const { violations, doubts, context, broken } = verdict;
  if (broken === 0 && doubts.length === 0) return [];
  return [
    '```',
    ...doubts.map((doubt) => `unknown: ${doubt}`),
    ...violations.slice(0, 20).map(({ rule, taskId, sentence }) => `${rule} ${taskId ?? ''} ${sentence}`),
    ...(broken > 20 ? [`… ${broken} in all`] : []),
    ...(context.length > 0 ? ['', 'Before the first one:', ...context] : []),
    '```',
    '',
  ];
}
