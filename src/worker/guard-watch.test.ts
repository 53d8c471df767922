/** Checks the guard's rounds on a clock moved by hand: what it does while a loop stands still, and what is no standstill. */

import { beforeEach, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts';
import type { HeartbeatRequest } from '../broker/broker.ts';
import type { SentCommand } from '../core/commands.ts';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import {
  createGuardWatch,
  type GuardWatch,
  type GuardWatchOptions,
  type Held,
  readHeld,
  type Standstill,
  writeHeld,
} from './guard-watch.ts';

let clock: ManualClock;
let turns: number;
let held: number;
let claimed: Held[];
let sent: HeartbeatRequest[];
let lost: Set<string>;
let commands: SentCommand[];
let said: string[];
let ended: Standstill[];
let renewals: number;
let kills: number;
let isAway: boolean;
let isDebugged: boolean;
let watch: GuardWatch;

const presence = { workerId: 'w', name: 'ada', state: 'ready' } as Presence;
const slot = { taskId: 'T1', epoch: 1, name: 'mail.send', hasBegun: true, ranMs: 100, doing: null };
const frames = ['spin (/app/tasks/a.ts:3:1)', 'run (/app/node_modules/x/y.js:1:1)'];

function create(more: Partial<GuardWatchOptions> = {}): GuardWatch {
  return createGuardWatch({
    clock,
    leaseMs: 30_000,
    blockMaxMs: limits.loopBlockMaxMs,
    presence,
    async broker() {
      if (isAway) throw new Error('away');
      return {
        async heartbeat(request) {
          sent.push(request);
          const beats = request.beats.map(({ lease }) =>
            lost.has(lease.taskId) ? ('lost' as const) : ('ok' as const),
          );
          return { now: 0, beats, commands, noServer: false };
        },
      };
    },
    claimed: () => claimed.splice(0),
    turns: () => turns,
    isDebugged: () => isDebugged,
    inFlight: () => ['image.resize', 'mail.send'],
    begun: () => [{ taskId: 'T9', epoch: 1, name: 'image.resize' }],
    renewed: () => void renewals++,
    answered: () => undefined,
    stack: async () => frames,
    warn: (line) => void said.push(line),
    onEnd: (standstill) => void ended.push(standstill),
    kill: () => void kills++,
    ...more,
  });
}

beforeEach(() => {
  clock = createManualClock();
  turns = 0;
  held = 0;
  claimed = [];
  sent = [];
  lost = new Set();
  commands = [];
  said = [];
  ended = [];
  renewals = 0;
  kills = 0;
  isAway = false;
  isDebugged = false;
  watch = create();
});

/** Rounds for so long; the loop turns in each when `turning`. */
async function pass(ms: number, turning = false): Promise<void> {
  for (let passed = 0; passed < ms; passed += watch.periodMs) {
    await clock.advance(watch.periodMs);
    if (turning) turns++;
    await watch.look();
  }
}

function hold(token: string, taskIds: readonly string[], runMs: number | null = null): void {
  held += 1;
  watch.hold({ order: held, token, taskIds, epochs: taskIds.map(() => 1), runMs });
}

const renewed = (): readonly string[][] =>
  sent.filter(({ beats }) => beats.length > 0).map(({ beats }) => beats.map(({ lease }) => lease.taskId));

test('while the loop turns nothing is sent', async () => {
  hold('a', ['T1']);
  await pass(120_000, true);
  expect([sent, said, ended]).toEqual([[], [], []]);
});

test('a standstill is seen within a few rounds, and every lease is renewed at once and then in time', async () => {
  hold('a', ['T1', 'T2']);
  hold('b', ['T3']);
  await pass(2_000);
  expect(renewed()).toEqual([['T1', 'T2', 'T3']]);
  await pass(60_000);
  expect(renewed().length).toBe(7);
  expect(renewals).toBe(7);
});

test('its presence says for how long, with whom in flight, and where once somebody looked', async () => {
  await pass(3_000);
  expect(sent.at(-1)?.worker.blocked).toMatchObject({ handlers: ['image.resize', 'mail.send'], at: null });
  await pass(4_000);
  expect(sent.at(-1)?.worker.blocked).toMatchObject({ at: frames[0] });
  expect(sent.at(-1)?.worker.blocked?.forMs).toBeGreaterThanOrEqual(5_000);
  expect(sent.every(({ worker }) => worker.definitions === null)).toBe(true);
});

test('people are warned once a standstill, by name and place', async () => {
  await pass(60_000);
  expect(said).toEqual([
    expect.stringMatching(/turned for 5(\.\d)? s\. In flight: image\.resize, mail\.send; it stands at spin/),
  ]);
  turns++;
  await pass(500);
  await pass(10_000);
  expect(said).toHaveLength(2);
});

test('when the loop turns again it is told for how long it stood', async () => {
  await pass(8_000);
  await pass(500, true);
  expect(ended).toEqual([{ blockedMs: expect.any(Number), handlers: ['image.resize', 'mail.send'], at: frames[0] }]);
  expect(ended[0]?.blockedMs).toBeGreaterThanOrEqual(7_500);
});

test('past the bound it renews no more, says why, and ends the process', async () => {
  watch = create({ blockMaxMs: 20_000 });
  hold('a', ['T1']);
  await pass(20_000);
  expect(kills).toBe(1);
  expect(said.at(-1)).toMatch(/In flight: image\.resize.*too long/);
});

test('the bound is the longest run in flight and the grace of an abort, when that is less', async () => {
  hold('a', ['T1'], 5_000);
  hold('b', ['T2'], 7_000);
  await pass(7_000 + limits.graceMs - 1_000);
  expect(kills).toBe(0);
  await pass(1_000);
  expect(kills).toBe(1);
});

test('a process that stood still as a whole is no standstill of its loop', async () => {
  hold('a', ['T1']);
  await pass(2_000, true);
  clock.freeze(120_000);
  await watch.look();
  expect([sent, said]).toEqual([[], []]);
});

test('somebody at a breakpoint has all the time there is', async () => {
  isDebugged = true;
  hold('a', ['T1'], 1_000);
  await pass(30 * 60_000);
  expect([kills, said]).toEqual([0, []]);
  expect(renewed().length).toBeGreaterThan(100);
});

test('a store that is away is tried again with every round, and the bound counts all the same', async () => {
  watch = create({ blockMaxMs: 20_000 });
  hold('a', ['T1']);
  isAway = true;
  await pass(4_000);
  expect(renewals).toBe(0);
  isAway = false;
  await pass(500);
  expect(renewed()).toEqual([['T1']]);
  isAway = true;
  await pass(20_000);
  expect(kills).toBeGreaterThan(0);
});

test('what is lost, or over by the last word of the loop, is not renewed any more', async () => {
  hold('a', ['T1', 'T2']);
  hold('b', ['T3']);
  hold('c', ['T4']);
  watch.take({ presence, tokens: ['a', 'c'], upTo: held, slots: [] });
  lost = new Set(['T2']);
  await pass(15_000);
  expect(renewed()).toEqual([
    ['T1', 'T2', 'T4'],
    ['T1', 'T4'],
  ]);
});

test('what was claimed after the last word of the loop is renewed, in whatever order the two are heard', async () => {
  hold('a', ['T1']);
  claimed.push({ order: 2, token: 'b', taskIds: ['T2'], epochs: [1], runMs: null });
  watch.take({ presence, tokens: [], upTo: 1, slots: [] });
  await pass(2_000);
  expect(renewed()).toEqual([['T2']]);
});

test('a claim is the same after it was written and read', () => {
  const one = { order: 7, token: 'ab', taskIds: ['T1', 'T2'], epochs: [1, 70_000], runMs: 5_000 };
  expect([one, { ...one, runMs: null }].map((held) => readHeld(writeHeld(held)))).toEqual([
    one,
    { ...one, runMs: null },
  ]);
});

test('beats tell how long a handler has run, also of one that began after the last word of the loop', async () => {
  hold('a', ['T1', 'T9', 'T2']);
  watch.take({ presence, tokens: ['a'], upTo: 1, slots: [slot] });
  await pass(1_500);
  expect(sent.at(-1)?.beats.map(({ ranMs }) => ranMs)).toEqual([1_600, 1_500, null]);
});

test('nobody is told to have begun whose input is checked, whose process starts, or whose earlier run began', async () => {
  watch.hold({ order: 1, token: 'a', taskIds: ['T1', 'T9', 'T2'], epochs: [1, 2, 7], runMs: null });
  const [starts, before] = [
    { ...slot, hasBegun: false },
    { ...slot, taskId: 'T2', epoch: 6 },
  ];
  watch.take({ presence, tokens: ['a'], upTo: 1, slots: [starts, before] });
  await pass(1_500);
  expect(sent.at(-1)?.beats.map(({ ranMs }) => ranMs)).toEqual([null, null, null]);
});

test('a question is answered for the loop, once; what the loop must do itself is not taken from it', async () => {
  hold('a', ['T9']);
  commands = [
    { id: 3, command: { kind: 'drain' } },
    { id: 4, command: { kind: 'stack' } },
  ];
  await pass(6_000);
  const answers = sent.filter(({ stack }) => stack !== undefined);
  expect(answers).toHaveLength(1);
  expect(answers[0]?.stack).toMatchObject({
    answers: 4,
    slots: [{ taskId: 'T9', name: 'image.resize' }],
    loop: { frames },
  });
  expect(sent.every(({ heard }) => heard === undefined)).toBe(true);
});
