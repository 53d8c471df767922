/** heartbeat: extends leases, stores what the runs and the process say, tells of cancel requests (lua/heartbeat.lua). */

import { fitsStore, type WorkerCommand } from '../../core/commands.ts';
import type { Presence } from '../../core/presence.ts';
import type { Beat, BeatAnswer, HeartbeatAnswer, HeartbeatRequest } from '../broker.ts';
import type { Connection } from './connection.ts';
import { refuseLargeBatch } from './refuse.ts';

type Reply = readonly [now: number, letters: Buffer, noServer: number, commands: readonly (number | Buffer)[]];

const answers: Readonly<Record<string, BeatAnswer>> = { o: 'ok', c: 'cancel', l: 'lost' };

export async function heartbeat(connection: Connection, request: HeartbeatRequest): Promise<HeartbeatAnswer> {
  refuseLargeBatch(request.beats);
  const { definitions, ...said } = request.worker;
  const stack = request.stack === undefined ? '' : JSON.stringify(request.stack);
  const [now, letters, noServer, commands] = await connection.run<Reply>('heartbeat', [
    said.workerId,
    JSON.stringify(said),
    definitions === null ? '' : JSON.stringify(definitions),
    roleOf(request.worker),
    request.leaseMs,
    JSON.stringify(request.beats.map(beatFields)),
    request.heard ?? 0,
    fitsStore(stack) ? stack : '',
  ]);
  return {
    now,
    beats: [...letters.toString('latin1')].map((letter) => answers[letter] ?? 'lost'),
    commands: readCommands(commands),
    noServer: noServer === 1,
  };
}

function readCommands(list: Reply[3]): HeartbeatAnswer['commands'] {
  return Array.from({ length: list.length / 2 }, (_empty, place) => ({
    id: list[2 * place] as number,
    command: JSON.parse(String(list[2 * place + 1])) as WorkerCommand,
  }));
}

function roleOf({ state, server }: Presence): 'stopped' | 'server' | 'worker' {
  if (state === 'stopped') return 'stopped';
  return server ? 'server' : 'worker';
}

function beatFields({ lease, ranMs, progress, logs, checkpoints }: Beat): readonly unknown[] {
  return [
    lease.taskId,
    lease.token,
    lease.epoch,
    ranMs ?? false,
    progress === null ? false : JSON.stringify(progress),
    logs.length === 0 ? false : logs.map((line) => JSON.stringify(line)),
    checkpoints.length === 0 ? false : checkpoints.map(({ name, value }) => [name, value]),
  ];
}
