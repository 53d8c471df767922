/** `taskflow schedule list|get|run|pause|resume|delete|next|backfill` */

import { systemClock } from '../../core/time.ts';
import {
  type AskedFiringDocument,
  scheduleBackfill,
  scheduleDelete,
  scheduleGet,
  scheduleList,
  scheduleNext,
  schedulePause,
  scheduleResume,
  scheduleRun,
} from '../../operations/schedule.ts';
import type { FiringDocument, ScheduleDocument, ScheduleTimeDocument } from '../../operations/schedule-document.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { scheduleLines } from '../schedule-view.ts';
import { type Session, withSession } from '../session.ts';
import { relativeTime } from '../times.ts';

const scheduleView: View<ScheduleDocument> = {
  id: (schedule) => schedule.name,
  columns: [
    { title: 'Schedule', text: (schedule) => schedule.name, style: () => 'bold', cutTo: 16 },
    {
      title: 'State',
      text: (schedule) => schedule.state,
      style: ({ state }) =>
        state === 'paused' || state === 'unreadable' ? 'warning' : state === 'ended' ? 'muted' : null,
    },
    {
      title: 'When',
      text: (schedule) => schedule.words,
      raw: (schedule) => schedule.cron ?? `${schedule.everyMs} ms`,
      cutTo: 12,
    },
    { title: 'Task', text: (schedule) => schedule.task, cutTo: 12 },
    {
      title: 'Next',
      align: 'right',
      text: (schedule) => (schedule.next[0] === undefined ? '' : fromNow(schedule.next[0])),
      raw: (schedule) => schedule.next[0] ?? '',
    },
    {
      title: 'Last',
      align: 'right',
      text: (schedule) => lastText(schedule.recent[0]),
      raw: (schedule) => schedule.recent[0]?.at ?? '',
      style: (schedule) => (schedule.recent[0]?.reason === 'missed' ? 'warning' : null),
    },
    { title: 'Note', isSpare: true, text: (schedule) => (schedule.orphaned ? 'orphaned' : ''), style: () => 'warning' },
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the schedules with their next and last runs',
  options: [
    { flags: '--limit <number>', description: 'At most so many (default: 100)' },
    { flags: '--after <name>', description: 'Those behind this one' },
  ],
  example: 'taskflow schedule list',
  run: (call) =>
    withSession(call, async (session) => {
      const [limit, after] = [call.text('limit'), call.text('after')];
      const { schedules, next } = await session.ask(scheduleList, {
        ...(limit === undefined ? {} : { limit }),
        ...(after === undefined ? {} : { after }),
      });
      call.output.list(scheduleView, schedules);
      if (schedules.length === 0)
        call.output.note('A schedule is an export of task.schedule(…), stored when a worker with its file starts.');
      if (next !== null) call.output.note(`more: --after ${next}`);
      for (const { name, orphaned } of schedules) {
        if (orphaned)
          call.output.note(`${name} is in no living worker’s code: taskflow schedule delete ${name}`, 'warning');
      }
      return 0;
    }),
};

const get: CommandSpec = {
  name: 'get',
  summary: 'Show schedules with their next times and what became of the last ones',
  arguments: [{ syntax: '<schedule...>', description: 'Names of schedules' }],
  example: 'taskflow schedule get report.nightly',
  run: (call) => eachSchedule(call, (session, name) => session.ask(scheduleGet, { name })),
};

const askedView: View<AskedFiringDocument> = { id: (asked) => asked.taskId ?? '', columns: [] };

const run: CommandSpec = {
  name: 'run',
  summary: 'Run the task of a schedule now, whatever its time, pause or overlap',
  arguments: [{ syntax: '<schedule>', description: 'Name of a schedule' }],
  options: [{ flags: '--at <time>', description: 'The time the task is told; the same time again is the same task' }],
  example: 'taskflow schedule run report.nightly',
  run: (call) =>
    withSession(call, async (session) => {
      const [name = ''] = call.args;
      const at = call.text('at');
      const asked = await session.ask(scheduleRun, { name, ...(at === undefined ? {} : { at }) });
      call.output.record(askedView, asked, () => [
        call.output.terminal.isPerson ? askedWords(asked) : `${asked.outcome}\t${asked.taskId ?? ''}`,
      ]);
      if (asked.outcome === 'created') call.output.note(`taskflow task get ${asked.taskId}`);
      return asked.outcome === 'skipped' ? 7 : 0;
    }),
};

const pause: CommandSpec = {
  name: 'pause',
  summary: 'Leave out the times of schedules until they are resumed',
  arguments: [{ syntax: '<schedule...>', description: 'Names of schedules' }],
  options: [{ flags: '--reason <text>', description: 'Why; shown wherever the schedule is' }],
  example: 'taskflow schedule pause report.nightly --reason "the warehouse moves"',
  run(call) {
    const reason = call.text('reason');
    return eachSchedule(call, (session, name) =>
      session.ask(schedulePause, { name, ...(reason === undefined ? {} : { reason }) }),
    );
  },
};

const resume: CommandSpec = {
  name: 'resume',
  summary: 'Fire paused schedules again, from their next time on',
  arguments: [{ syntax: '<schedule...>', description: 'Names of schedules' }],
  example: 'taskflow schedule resume report.nightly',
  run: (call) => eachSchedule(call, (session, name) => session.ask(scheduleResume, { name })),
};

const deleteSpec: CommandSpec = {
  name: 'delete',
  summary: 'Delete schedules; their tasks stay, and code that still has one stores it again when it starts',
  arguments: [{ syntax: '<schedule...>', description: 'Names of schedules' }],
  example: 'taskflow schedule delete report.old',
  run: (call) =>
    withSession(call, (session) =>
      askEach(call, {
        items: call.args,
        isOne: call.args.length === 1,
        ask: (name) => session.ask(scheduleDelete, { name }),
        view: { id: (one) => one.name, columns: [{ title: 'Deleted', text: (one) => one.name }] },
        lines: ({ name }) => [call.output.terminal.isPerson ? `${name} is deleted` : `${name}\tdeleted`],
      }),
    ),
};

const timeView: View<ScheduleTimeDocument> = {
  id: (time) => time.at,
  columns: [
    { title: 'Local', text: (time) => time.local, style: () => 'bold' },
    { title: 'UTC', text: (time) => time.at },
    { title: 'In', align: 'right', text: (time) => fromNow(time.at), raw: () => '' },
    { title: 'Note', text: (time) => time.note ?? '', cutTo: 20, style: () => 'warning' },
  ],
};

const next: CommandSpec = {
  name: 'next',
  summary: 'Show the next times of a schedule, also where clocks change',
  arguments: [{ syntax: '<schedule>', description: 'Name of a schedule' }],
  options: [{ flags: '--count <number>', description: 'How many: 1 to 100 (default: 10)' }],
  example: 'taskflow schedule next report.nightly --count 20',
  run: (call) =>
    withSession(call, async (session) => {
      const [name = ''] = call.args;
      const count = call.text('count');
      const { times } = await session.ask(scheduleNext, { name, ...(count === undefined ? {} : { count }) });
      call.output.list(timeView, times);
      if (times.length === 0) call.output.note(`${name} has ended: it has no time any more.`);
      return 0;
    }),
};

const backfill: CommandSpec = {
  name: 'backfill',
  summary: 'Run the task of a schedule for its times of a past stretch, each once',
  arguments: [{ syntax: '<schedule>', description: 'Name of a schedule' }],
  options: [
    { flags: '--from <time>', description: 'A time such as 2026-11-20T00:00Z, or how long ago: 7d' },
    { flags: '--until <time>', description: 'Without it (default: now)' },
    { flags: '--dry-run', description: 'Count the times and do nothing' },
  ],
  example: 'taskflow schedule backfill report.nightly --from 7d --dry-run',
  run: (call) =>
    withSession(call, async (session) => {
      const [name = ''] = call.args;
      const [from, until] = [call.text('from'), call.text('until')];
      const filled = await session.ask(scheduleBackfill, {
        name,
        ...(from === undefined ? {} : { from }),
        ...(until === undefined ? {} : { until }),
        dryRun: call.has('dryRun'),
      });
      const { times, created, existing, skipped, dryRun } = filled;
      call.output.record({ id: (one) => one.schedule }, filled, () => [
        dryRun
          ? `${times} times of ${name} from ${filled.from} until ${filled.until}`
          : `${times} times of ${name}: ${created} enqueued, ${existing} were there, ${skipped} left out`,
      ]);
      return 0;
    }),
};

export const commands = [list, get, run, pause, resume, deleteSpec, next, backfill];

function eachSchedule(call: Call, ask: (session: Session, name: string) => Promise<ScheduleDocument>): Promise<number> {
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (name) => ask(session, name),
      view: scheduleView,
      lines: (schedule) => scheduleLines(call.output.terminal, schedule, systemClock.now()),
    }),
  );
}

function askedWords({ schedule, outcome, taskId, at }: AskedFiringDocument): string {
  if (outcome === 'skipped') return `${schedule}: nothing was enqueued, another task holds its key`;
  return outcome === 'created' ? `${schedule}: enqueued ${taskId}` : `${schedule}: ${taskId} was there for ${at}`;
}

function fromNow(time: string): string {
  return relativeTime(Date.parse(time), systemClock.now());
}

function lastText(last: FiringDocument | undefined): string {
  if (last === undefined) return '';
  return last.reason === null ? fromNow(last.at) : last.reason;
}
