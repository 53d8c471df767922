/** How workers look in lists and alone. */

import type { SentCommand } from '../core/commands.ts';
import { formatDuration } from '../core/duration.ts';
import { systemClock } from '../core/time.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import type { WorkerRecordDocument } from '../operations/worker-control.ts';
import type { View } from './output.ts';
import { type Field, fieldLines } from './table.ts';
import { paint, type Style, type Terminal } from './terminal.ts';
import { clockTime, durationWords, relativeTime } from './times.ts';

/** The list of workers. */
export const workerView: View<WorkerDocument> = {
  id: (worker) => worker.id,
  columns: [
    { title: 'Worker', text: (worker) => worker.name, style: () => 'bold', cutTo: 16 },
    { title: 'State', text: stateWords, raw: (worker) => worker.state, style: stateStyle },
    { title: 'Kind', text: (worker) => (worker.server ? 'server' : 'worker'), style: () => 'muted' },
    {
      title: 'Running',
      align: 'right',
      text: (worker) => (worker.concurrency === 0 ? '' : `${worker.running}/${worker.concurrency}`),
    },
    { title: 'Queues', cutTo: 12, text: (worker) => Object.keys(worker.queues).join(','), raw: queuesText },
    { title: 'Tasks', align: 'right', text: (worker) => String(worker.tasks.length) },
    { title: 'Pid', align: 'right', text: (worker) => String(worker.pid), isSpare: true },
    { title: 'Version', text: (worker) => worker.version, isSpare: true },
    {
      title: 'Started',
      align: 'right',
      isSpare: true,
      text: (worker) => relativeTime(Date.parse(worker.startedAt), systemClock.now()),
      raw: (worker) => worker.startedAt,
      style: () => 'muted',
    },
    {
      title: 'Lag',
      align: 'right',
      isSpare: true,
      text: (worker) => (worker.loopLagMs === null ? '' : durationWords(worker.loopLagMs)),
      raw: (worker) => String(worker.loopLagMs ?? ''),
    },
    {
      title: 'Heard of',
      align: 'right',
      text: (worker) => relativeTime(Date.parse(worker.beatAt), systemClock.now()),
      raw: (worker) => worker.beatAt,
      style: () => 'muted',
    },
  ],
};

/** One worker, what it has not heard yet, and what its slots did when it was asked last. */
export function workerLines(terminal: Terminal, worker: WorkerRecordDocument): string[] {
  const fields = workerFields(worker);
  if (!terminal.isPerson)
    return fieldLines(terminal, [
      { label: 'state', text: worker.state },
      { label: 'name', text: worker.name },
      { label: 'id', text: worker.id },
      ...fields,
      ...stackFields(worker),
    ]);
  return [
    `${paint(terminal, stateWords(worker), stateStyle(worker))}   ${paint(terminal, worker.name, 'bold')}   ${worker.id}`,
    ...fieldLines(terminal, fields),
    ...stackLines(terminal, worker),
  ];
}

/** `3 of 10 slots busy`, or nothing for a server. */
export function slotsText({ running, concurrency }: WorkerDocument): string {
  return concurrency === 0 ? 'no slots' : `${running} of ${concurrency} ${concurrency === 1 ? 'slot' : 'slots'} busy`;
}

function workerFields(worker: WorkerRecordDocument): Field[] {
  const { blocked, commands, loopLagMs, stall } = worker;
  return [
    { label: 'Slots', text: `${slotsText(worker)}   ${queuesText(worker)}`, raw: queuesText(worker) },
    { label: 'Running', text: null, raw: `${worker.running}/${worker.concurrency}` },
    { label: 'Process', text: `pid ${worker.pid} on ${worker.host}, version ${worker.version}` },
    {
      label: 'Started',
      text: relativeTime(Date.parse(worker.startedAt), systemClock.now()),
      raw: worker.startedAt,
    },
    { label: 'Heard of', text: `${durationWords(worker.silentMs)} ago`, raw: worker.beatAt },
    { label: 'Loop lag', text: loopLagMs === null ? null : durationWords(loopLagMs), raw: String(loopLagMs ?? '') },
    {
      label: 'Blocked',
      text: blocked === null ? null : blockedText(blocked),
      style: 'error',
    },
    { label: 'Stalled', text: stall === null ? null : stallText(stall), style: 'warning' },
    { label: 'Tasks', text: worker.tasks.join(', ') },
    { label: 'Not heard', text: commands.length === 0 ? null : commands.map(commandText).join(', '), style: 'warning' },
  ];
}

function blockedText({ forMs, handlers, at }: NonNullable<WorkerDocument['blocked']>): string {
  const who = handlers.length === 0 ? '' : ` by ${handlers.join(' or ')}`;
  return `its event loop has not turned for ${formatDuration(forMs)}${who}${at === null ? '' : `, at ${at}`}`;
}

function stallText({ forMs, waiting, agoMs }: NonNullable<WorkerDocument['stall']>): string {
  const what = waiting === null ? 'a call had no end' : `given nothing while ${waiting} waited`;
  return `${what} for ${formatDuration(forMs)}, connected anew ${formatDuration(agoMs)} ago`;
}

function commandText({ command }: SentCommand): string {
  return command.kind === 'scale' ? `scale to ${command.concurrency}` : command.kind;
}

function stackFields({ stack }: WorkerRecordDocument): Field[] {
  if (stack === null) return [];
  return [
    { label: 'stack at', text: stack.at },
    ...stack.slots.map(({ taskId, name, ranMs, doing }) => ({
      label: 'slot',
      text: [taskId, name, ranMs, doing ?? ''].join(' '),
    })),
    ...(stack.loop?.frames ?? []).map((frame) => ({ label: 'frame', text: frame })),
  ];
}

function stackLines(terminal: Terminal, { stack }: WorkerRecordDocument): string[] {
  if (stack === null) return [];
  const { slots, loop } = stack;
  const at = clockTime(Date.parse(stack.at));
  const title =
    loop === null ? `Its slots at ${at}` : `Its event loop at ${at}, blocked for ${formatDuration(loop.blockedMs)}`;
  return [
    '',
    `  ${paint(terminal, title, 'muted')}`,
    ...(loop?.frames ?? []).map((frame) => `    ${paint(terminal, 'at', 'muted')} ${frame}`),
    ...(slots.length === 0 && loop === null ? ['    nothing runs'] : []),
    ...slots.map(
      ({ taskId, name, ranMs, doing }) =>
        `    ${paint(terminal, name, 'bold')}  ${paint(terminal, taskId, 'muted')}  ${formatDuration(ranMs)}${doing === null ? '' : `  ${doing}`}`,
    ),
  ];
}

function stateWords({ state, blocked }: WorkerDocument): string {
  return blocked === null || state === 'silent' ? state : `blocked ${durationWords(blocked.forMs)}`;
}

function stateStyle({ state, blocked }: WorkerDocument): Style {
  if (state === 'silent' || blocked !== null) return 'error';
  return state === 'ready' ? 'ok' : 'warning';
}

function queuesText({ queues }: WorkerDocument): string {
  return Object.entries(queues)
    .map(([name, slots]) => `${name}=${slots}`)
    .join(',');
}
