/** `taskflow stats timeline|depth` */

import { type DepthRowDocument, statsDepth, statsTimeline, type TimelineRowDocument } from '../../operations/stats.ts';
import type { Call, CommandSpec } from '../command.ts';
import type { View } from '../output.ts';
import { given, noteMore, pageOptions } from '../pages.ts';
import { withSession } from '../session.ts';
import { durationWords } from '../times.ts';

const words = (ms: number | null): string => (ms === null ? '' : durationWords(ms));
const number = (value: number): string => value.toLocaleString('en-US');

const timelineView: View<TimelineRowDocument> = {
  id: (row) => row.at,
  columns: [
    { title: 'From', text: (row) => row.at, style: () => 'muted' },
    { title: 'Queue', text: (row) => row.queue, cutTo: 16 },
    { title: 'Task', text: (row) => row.name, style: () => 'bold', cutTo: 20 },
    ...(['succeeded', 'failed', 'cancelled', 'retried'] as const).map((name) => ({
      title: `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`,
      align: 'right' as const,
      text: (row: TimelineRowDocument) => number(row[name]),
      raw: (row: TimelineRowDocument) => String(row[name]),
    })),
    {
      title: 'Waited',
      align: 'right',
      text: (row) => words(row.meanWaitMs),
      raw: (row) => String(row.meanWaitMs ?? ''),
    },
    { title: 'Ran', align: 'right', text: (row) => words(row.meanRunMs), raw: (row) => String(row.meanRunMs ?? '') },
  ],
};

const depthView: View<DepthRowDocument> = {
  id: (row) => row.at,
  columns: [
    { title: 'Minute', text: (row) => row.at, style: () => 'muted' },
    { title: 'Queue', text: (row) => row.queue, style: () => 'bold', cutTo: 16 },
    ...(['waiting', 'running', 'slots', 'workers'] as const).map((name) => ({
      title: `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`,
      align: 'right' as const,
      text: (row: DepthRowDocument) => number(row[name]),
      raw: (row: DepthRowDocument) => String(row[name]),
    })),
  ],
};

const rangeOptions = [
  { flags: '--minutes <n>', description: 'So many minutes back' },
  { flags: '--queue <queue>', description: 'Of this queue alone' },
  ...pageOptions,
];

const timeline: CommandSpec = {
  name: 'timeline',
  summary: 'Say what ended in each minute or hour, and how long it waited and ran',
  options: [
    ...rangeOptions,
    { flags: '--name <task>', description: 'Of this task alone' },
    { flags: '--step <minute|hour>', description: 'What a line is of; hours are kept for 90 days (default: minute)' },
  ],
  example: 'taskflow stats timeline --minutes 60 --queue email',
  run: (call) =>
    withSession(call, async (session) => {
      const { rows, next } = await session.ask(statsTimeline, rangeOf(call, 'name', 'step'));
      call.output.list(timelineView, rows);
      if (rows.length === 0 && next === null) call.output.note('Nothing ended in these minutes.');
      noteMore(call, next);
      return 0;
    }),
};

const depth: CommandSpec = {
  name: 'depth',
  summary: 'Say how much waited and ran in each minute',
  options: rangeOptions,
  example: 'taskflow stats depth --minutes 60',
  run: (call) =>
    withSession(call, async (session) => {
      const { rows, next } = await session.ask(statsDepth, rangeOf(call));
      call.output.list(depthView, rows);
      if (rows.length === 0 && next === null)
        call.output.note('Nothing was seen in these minutes: a server looks once in each while it runs.');
      noteMore(call, next);
      return 0;
    }),
};

export const commands = [timeline, depth];

function rangeOf(call: Call, ...more: readonly string[]): Readonly<Record<string, string>> {
  return given(call, 'minutes', 'queue', 'limit', 'after', ...more);
}
