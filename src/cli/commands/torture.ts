/** `taskflow torture` */

import { writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { maskUrl } from '../../config/mask.ts';
import { systemChance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { isoTime, systemClock } from '../../core/time.ts';
import type { Progress, Report } from '../../torture/torture.ts';
import type { Call, CommandSpec } from '../command.ts';
import { type Mark, mark, paint, type Style } from '../terminal.ts';
import { durationWords } from '../times.ts';
import { packageVersion } from './version.ts';

const tortureSpec: CommandSpec = {
  name: 'torture',
  summary: 'Kill and starve real processes, and have a judge look for broken promises',
  isLocal: true,
  options: [
    {
      flags: '--broker <store>',
      description:
        'What to torture: sqlite, postgres, redis, or the URL of a Postgres (default: sqlite, in a folder of its own)',
    },
    {
      flags: '--store <database>',
      description: 'In which database a Redis is recorded: sqlite or postgres (default: sqlite)',
    },
    { flags: '--minutes <number>', description: 'How long the storm lasts (default: 3)' },
    { flags: '--seed <number>', description: 'Decides everything that happens (default: another each time)' },
    { flags: '--rate <number>', description: 'Tasks a second of all clients together (default: 1000)' },
    { flags: '--summary <file>', description: 'Write a dated page of Markdown' },
    { flags: '--keep', description: 'Keep store, notes and logs of a run that was good, too' },
  ],
  example: 'taskflow torture --minutes 3 --seed 7',
  run: runTorture,
};

export const commands = [tortureSpec];

const exitCodes = { valid: 0, invalid: 1, unknown: 2 } as const;

async function runTorture(call: Call): Promise<number> {
  const [{ torture }, { readGround }, { repeatCommand, summaryOf }] = await Promise.all([
    import('../../torture/torture.ts'),
    import('../../torture/open-ground.ts'),
    import('../../torture/summary.ts'),
  ]);
  const seed = numberOf(call, '--seed', Math.floor(systemChance.float() * 1_000_000), 0, 2 ** 31);
  const minutes = numberOf(call, '--minutes', 3, 0.05, 24 * 60);
  const rate = numberOf(call, '--rate', 1_000, 1, 100_000);
  // Only what was typed: a run must never begin on the store that a project is configured for.
  const broker = call.text('broker') ?? 'sqlite';
  const ground = readGround(broker, call.text('store'));
  const stopping = new AbortController();
  const line = createLine(call, minutes * 60_000);
  let signals = 0;
  const onSignal = (): void => {
    // The storm ends, everything is drained and judged; whoever does not want to wait for that asks again.
    if (++signals > 1) process.exit(130);
    line.clear();
    call.output.warn('The storm is over early: what is left is drained and judged. Again to leave at once.');
    stopping.abort();
  };
  process
    .on('SIGINT', onSignal)
    .on('SIGTERM', onSignal)
    .on('SIGHUP', () => process.exit(129));
  call.output.note(
    `seed ${seed}, ${minutes} min of storm; again: ${repeatOf(seed, minutes, rate)}${ground.kind === 'sqlite' ? '' : ` --broker ${maskUrl(broker)}`}${ground.record === null ? '' : ` --store ${ground.record}`}`,
  );
  const report = await torture({
    seed,
    minutes,
    rate,
    ground,
    keep: call.has('keep'),
    signal: stopping.signal,
    onProgress: line.show,
  });
  line.clear();
  const page = summaryOf(report, {
    at: isoTime(systemClock.now()),
    version: packageVersion(),
    node: process.versions.node,
    machine: `${availableParallelism()} processors, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  });
  const path = call.text('summary');
  if (path !== undefined) writeFileSync(resolve(call.cwd, path), page);
  const { firedFaults, failuresOf, perSecond } = await import('../../torture/summary.ts');
  const document = {
    ...report,
    perSecond: perSecond(report),
    failures: failuresOf(report),
    repeat: repeatCommand(report),
  };
  call.output.record({ id: () => String(seed) }, document, () =>
    reportLines(call, report, {
      faults: firedFaults(report).length,
      perSecond: document.perSecond,
      repeat: document.repeat,
    }),
  );
  return exitCodes[report.verdict.result];
}

const repeatOf = (seed: number, minutes: number, rate: number): string =>
  `taskflow torture --minutes ${minutes} --seed ${seed} --rate ${rate}`;

function numberOf(call: Call, flag: string, fallback: number, min: number, max: number): number {
  const text = call.text(flag.slice(2));
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() !== '' && value >= min && value <= max) return value;
  throw taskFlowError(
    'USAGE',
    { problem: `${flag} ${JSON.stringify(text)} is not a number from ${min} to ${max}.` },
    { hint: `taskflow torture ${flag} ${fallback}` },
  );
}

/** One line that moves where a person looks, a plain one now and then elsewhere. */
function createLine({ output, stderr }: Call, stormMs: number): { show(progress: Progress): void; clear(): void } {
  const { notes } = output;
  let [shown, plainAt] = [false, 0];
  return {
    show(progress) {
      const text = progressText(progress, stormMs);
      if (notes.isPerson) {
        shown = true;
        stderr.write(`\r\u001b[K${text.slice(0, notes.width - 1)}`);
      } else if (progress.ms >= plainAt) {
        plainAt = progress.ms + 10_000;
        output.note(text);
      }
    },
    clear() {
      if (shown) stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}

function progressText({ phase, ms, counts, open, fired, on, broken }: Progress, stormMs: number): string {
  const { stored = 0 } = counts;
  const faults = Object.values(fired).reduce((sum, times) => sum + times, 0);
  const time =
    phase === 'storm' ? `${durationWords(ms)} of ${durationWords(stormMs)}` : `${phase} after ${durationWords(ms)}`;
  const trouble = phase === 'storm' ? (on.length === 0 ? 'calm' : `${on.length} kinds of trouble`) : '';
  return [
    time,
    `${stored.toLocaleString('en-US')} tasks, ${Math.round((stored * 1_000) / Math.max(1, ms))} a second`,
    `${open.toLocaleString('en-US')} open`,
    `${faults.toLocaleString('en-US')} faults`,
    ...(trouble === '' ? [] : [trouble]),
    ...(broken > 0 ? [`${broken} BROKEN`] : []),
  ].join(' · ');
}

interface Figures {
  readonly faults: number;
  readonly perSecond: number;
  readonly repeat: string;
}

function reportLines(call: Call, report: Report, figures: Figures): readonly string[] {
  const { verdict, fired, drainMs, totalMs, folder } = report;
  const { terminal } = call.output;
  const count = (value = 0): string => value.toLocaleString('en-US');
  const looks: Readonly<Record<typeof verdict.result, readonly [Mark, Style, string]>> = {
    valid: ['ok', 'ok', 'every promise was kept'],
    invalid: ['error', 'error', `${count(verdict.broken)} promises were broken`],
    unknown: ['warning', 'warning', 'nothing was broken, and nothing is proved'],
  };
  const [sign, style, words] = looks[verdict.result];
  const { counts } = verdict;
  const faults = Object.values(fired).reduce((sum, times) => sum + times, 0);
  return [
    `${paint(terminal, mark(terminal, sign), style)} ${count(counts.stored)} tasks in ${durationWords(totalMs)}, ${count(faults)} faults of ${figures.faults} kinds: ${words}`,
    `  ${count(Math.round(figures.perSecond))} tasks a second from end to end; all were final ${durationWords(drainMs)} after the storm`,
    `  succeeded ${count(counts.succeeded)}, failed ${count(counts.failed)}, quarantined ${count(counts.quarantined)}, cancelled ${count(counts.cancelled)}, expired ${count(counts.expired)}`,
    ...verdict.doubts.map((doubt) => `  unknown: ${doubt}`),
    ...verdict.violations.slice(0, 20).map(({ rule, taskId, sentence }) => `  ${rule} ${taskId ?? ''} ${sentence}`),
    ...(verdict.context.length > 0 ? ['  Before the first one:', ...verdict.context.map((line) => `    ${line}`)] : []),
    ...(folder === null ? [] : [`  kept: ${folder}`]),
    ...(verdict.result === 'valid' ? [] : [`  again: ${figures.repeat}`]),
  ];
}
