/** What is asked of a store with many finished tasks: each page, list and filter, the nasty ones too. */

import { builtTask, commonName, fingerprintOf, rareName } from './tasks.ts';

export interface Case {
  readonly name: string;
  /** The address of the so manyth time. */
  readonly path: (time: number) => string;
}

const search = (name: string, q: string | ((time: number) => string)): Case => ({
  name,
  path: (time) => `/api/v1/tasks?q=${encodeURIComponent(typeof q === 'string' ? q : q(time))}`,
});

const page = (name: string, path: string): Case => ({ name, path: () => path });

export function casesOf(total: number, endAt: number): readonly Case[] {
  /** A task in the middle of others, another one each time. */
  const task = (time: number, share: number) => builtTask(Math.floor(total * share) + time * 17, total, endAt);
  return [
    page('Overview', '/'),
    page('Overview, 24 hours', '/?span=24h'),
    page('Overview, 7 days', '/?span=7d'),
    page('Tasks', '/tasks'),
    page('Tasks, failed', '/tasks?q=state%3Afailed'),
    page('Tasks, no match', '/tasks?q=tag%3Anone'),
    { name: 'Task', path: (time) => `/tasks/${task(time, 0.5).id}` },
    { name: 'task.get', path: (time) => `/api/v1/tasks/${task(time, 0.3).id}` },
    page('error.list', '/api/v1/errors'),
    { name: 'error.get', path: (time) => `/api/v1/errors/${fingerprintOf(time % 20)}` },
    page('stats.timeline, an hour', '/api/v1/stats/timeline'),
    page('stats.timeline, a week', '/api/v1/stats/timeline?minutes=10080'),
    page('stats.timeline, 90 days', '/api/v1/stats/timeline?step=hour&minutes=129600'),
    page('queue.list', '/api/v1/queues'),
    page('system.counts', '/api/v1/counts'),
    page('system.metrics', '/api/v1/metrics'),
    ...searchesOf(total, endAt),
  ];
}

/** Each kind of filter, alone and with others. */
function searchesOf(total: number, endAt: number): readonly Case[] {
  const task = (time: number, share: number) => builtTask(Math.floor(total * share) + time * 17, total, endAt);
  const common = `name:${commonName.name}`;
  const day = (ago: number): string => new Date(endAt - ago * 86_400_000).toISOString().slice(0, 10);
  return [
    search('newest', ''),
    ...[0.9, 0.5, 0.05].map(
      (share): Case => ({
        name: `page at ${share * 100} %`,
        path: (time) => `/api/v1/tasks?after=${task(time, share).id}`,
      }),
    ),
    { name: 'page of failed at 50 %', path: (time) => `/api/v1/tasks?q=state%3Afailed&after=${task(time, 0.5).id}` },
    search('state:succeeded', 'state:succeeded'),
    search('state:failed', 'state:failed'),
    search('state:queued', 'state:queued'),
    search('state:running', 'state:running'),
    search('queue, common', `queue:${commonName.queue}`),
    search('queue, rare', `queue:${rareName.queue}`),
    search('queue that is not there', 'queue:none'),
    search('name, common', common),
    search('name, rare', `name:${rareName.name}`),
    search('name*', 'name:mail.*'),
    search('bare word', 'mail.send.0'),
    search('failed and name, common', `state:failed ${common}`),
    search('failed and name, rare', `state:failed name:${rareName.name}`),
    search('failed and queue since a day', `state:failed queue:${commonName.queue} since:1d`),
    search('cancelled and name*', 'state:cancelled name:invoice.*'),
    search('fingerprint', (time) => `err:${fingerprintOf(time % 50)}`),
    search('fingerprint and name', (time) => `err:${fingerprintOf(time % 50)} ${common}`),
    search('key', (time) => `key:order:${Math.floor(total / 2) + time}`),
    search('key*', (time) => `key:order:${100 + time}*`),
    search('id', (time) => `id:${task(time, 0.2).id.slice(0, 12)}`),
    search('flow', (time) => `flow:${task(time, 0.2).id.slice(0, 9)}`),
    search('tag, a tenth', 'tag:red'),
    search('tag, rare', 'tag:vip'),
    search('tag, no match', 'tag:none'),
    search('worker', 'worker:worker-7'),
    search('worker, no match', 'worker:none'),
    search('error contains', 'error:"reset"'),
    search('error contains, rare', 'error:"upstream 299 "'),
    search('error contains, no match', 'state:failed error:"nothing like it"'),
    search('input', 'input.user.plan:enterprise'),
    search('input, no match', 'input.user.plan:none'),
    search('input of one user', (time) => `input.user.id:${40_000 + time}`),
    search('output', 'output.bytes:>50000'),
    search('since an hour', 'since:1h'),
    search('created between, long ago', `created:${day(60)}..${day(59)}`),
    search('until, long ago', `until:${day(60)}`),
    search('failed until, long ago', `state:failed until:${day(60)}`),
    search('took', 'took:>50s'),
    search('waited', 'waited:>4s'),
    search('attempt', 'attempt:>1'),
    search('priority', 'priority:high'),
    search('all but', '-state:succeeded -queue:queue-0'),
    search('five terms, no match', `state:failed ${common} tag:vip took:>59s priority:high`),
  ];
}
