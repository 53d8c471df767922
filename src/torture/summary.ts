/** A run in a dated page of Markdown: what was done to which setup, what came of it, and how to do it again. */

import { rules } from '../checker/verdict.ts';
import { formatDuration } from '../core/duration.ts';
import { type FaultKind, faultKinds, faults } from './plan.ts';
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
  return `npx taskflow torture --minutes ${plan.stormMs / 60_000} --seed ${plan.seed} --rate ${rate}`;
}

/** What the run is for, in numbers that are zero when all is well. */
export function failuresOf({ verdict }: Report): Readonly<Record<string, number>> {
  const count = (...wanted: readonly string[]): number =>
    verdict.violations.filter(({ rule }) => wanted.includes(rule)).length;
  return {
    lost: count('S1', 'S2'),
    'run or accepted twice': count('S3', 'S4', 'S5', 'S6'),
    stuck: count('L4'),
    'charged wrongly': count('S8'),
    'slots, keys or counts wrong': count('S11', 'S12', 'S17', 'S21'),
    'of another kind':
      verdict.broken - count('S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'L4', 'S8', 'S11', 'S12', 'S17', 'S21'),
  };
}

export function perSecond({ verdict, totalMs }: Report): number {
  const { succeeded = 0, failed = 0, quarantined = 0, cancelled = 0, expired = 0 } = verdict.counts;
  return ((succeeded + failed + quarantined + cancelled + expired) * 1_000) / totalMs;
}

/** How often each fault happened, those that did. */
export function firedFaults({ fired }: Report): readonly (readonly [kind: FaultKind, times: number])[] {
  return faultKinds.map((kind) => [kind, fired[kind] ?? 0] as const).filter(([, times]) => times > 0);
}

const number = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const duration = (ms: number): string => formatDuration(Math.round(ms / 1_000) * 1_000);

export function summaryOf(report: Report, { at, version, node, machine }: Setting): string {
  const { plan, verdict, codes, exits, recounted, durability } = report;
  const { stored = 0, accepted = 0, claims = 0, runs = 0 } = verdict.counts;
  const calm = plan.periods.filter((kinds) => kinds.length === 0).length;
  const rows = (entries: Iterable<readonly [string, number]>): readonly string[] =>
    [...entries].map(([name, times]) => `| ${name} | ${number(times)} |`);
  return [
    `# Torture of ${at.slice(0, 10)}, seed ${plan.seed}: ${verdict.result}`,
    '',
    `\`${repeatCommand(report)}\` at ${at}, TaskFlow ${version}, Node ${node}, ${machine}, ${durability}.`,
    '',
    `${number(stored)} tasks were stored (${number(accepted)} acknowledged), claimed ${number(claims)} times and run ` +
      `${number(runs)} times, in ${duration(report.totalMs)}: ${number(perSecond(report))} tasks a second from end to end, ` +
      `faults and all. After ${duration(report.stormMs)} of storm everything was final within ${duration(report.drainMs)}.`,
    '',
    '| must be 0 | |',
    '|---|--:|',
    ...rows(Object.entries(failuresOf(report))),
    '',
    `Setup: ${plan.workers} workers of ${plan.slots} slots, ${plan.servers} server${plan.servers === 1 ? '' : 's'}, ` +
      `${plan.clients.length} clients (${plan.clients.map(({ shape, isRemote }) => `${shape} ${isRemote ? 'over HTTP' : 'in the store'}`).join(', ')}), ` +
      `leases of ${formatDuration(plan.leaseMs)}. ${plan.periods.length} periods of ${duration(plan.periodMs)}, ${calm} of them calm. ` +
      `${number(recounted)} rows were counted again.`,
    '',
    '| what went wrong on purpose | times |',
    '|---|--:|',
    ...rows(firedFaults(report).map(([kind, times]) => [faults[kind].says, times])),
    ...rows(Object.entries(exits).map(([how, times]) => [`process ended: ${how}`, times])),
    '',
    '| what happened | times |',
    '|---|--:|',
    ...rows(Object.entries(verdict.counts).sort(([, left], [, right]) => right - left)),
    ...rows(Object.entries(codes).map(([code, times]) => [`call without an answer: ${code}`, times])),
    '',
    ...problemsOf(report),
    `Judged by: ${rules.join(', ')}.`,
    '',
  ].join('\n');
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
