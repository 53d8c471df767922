/** The guard's rounds: as long as the loop turns it only looks; when it stands still, it keeps the leases, and knows when to give up. */

import type { Beat, Broker, HeartbeatAnswer } from '../broker/broker.ts';
import type { WorkerStack } from '../core/commands.ts';
import { formatDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import type { LoopBlock, Presence } from '../core/presence.ts';
import type { Clock } from '../core/time.ts';
import { ownFrame } from './loop-stack.ts';
import { type RunningSlot, slotStacks } from './slot-stacks.ts';

/** What the loop tells with each turn in which something changed. */
export interface Snapshot {
  readonly presence: Presence;
  /** Tokens of the claims that hold leases; those that came before and are not among them hold none any more. */
  readonly tokens: readonly string[];
  /** The `order` of the last claim that came before. */
  readonly upTo: number;
  readonly slots: readonly RunningSlot[];
}

/** Leases of one claim. */
export interface Held {
  /** Grows with each claim. */
  readonly order: number;
  readonly token: string;
  readonly taskIds: readonly string[];
  /** Of each task, in the same order. */
  readonly epochs: readonly number[];
  /** The longest time a run of them may take; `null` when one has no end. */
  readonly runMs: number | null;
}

/** Leases of one claim as one text, which crosses threads in a tenth of the time of a thousand texts. */
export function writeHeld({ order, token, runMs, taskIds, epochs }: Held): string {
  const runs = taskIds.map((id, index) => `${id} ${epochs[index]}`);
  return [order, token, runMs ?? '', ...runs].join(' ');
}

/** The claim behind a text of `writeHeld`. */
export function readHeld(text: string): Held {
  const [order, token = '', runMs, ...runs] = text.split(' ');
  return {
    order: Number(order),
    token,
    runMs: runMs === '' ? null : Number(runMs),
    taskIds: runs.filter((_, index) => index % 2 === 0),
    epochs: runs.filter((_, index) => index % 2 === 1).map(Number),
  };
}

/** A stretch in which the loop did not turn. */
export interface Standstill {
  readonly blockedMs: number;
  readonly handlers: readonly string[];
  /** Where it stood; `null` when that could not be read or nobody looked. */
  readonly at: string | null;
}

export interface GuardWatchOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Longest standstill that is waited out, whatever handlers may take. */
  readonly blockMaxMs: number;
  /** Of the worker, until the first snapshot. */
  readonly presence: Presence;
  /** An open connection of its own; rejects while there is none. */
  readonly broker: () => Promise<Pick<Broker, 'heartbeat'>>;
  /** What was claimed since the last call. */
  readonly claimed: () => readonly Held[];
  readonly turns: () => number;
  readonly isDebugged: () => boolean;
  /** Names of the tasks whose handlers are in flight. */
  readonly inFlight: () => readonly string[];
  /** Runs whose handlers began last, of some of which the end may have come. */
  readonly begun: () => readonly Pick<RunningSlot, 'taskId' | 'epoch' | 'name'>[];
  readonly renewed: (sentAgoMs: number) => void;
  /** The question with this id was answered: the loop need not do it again, when it has nothing to tell any more. */
  readonly answered: (id: number) => void;
  readonly stack: () => Promise<readonly string[]>;
  /** A line for people, written past the loop. */
  readonly warn: (line: string) => void;
  readonly onEnd: (standstill: Standstill) => void;
  /** Ends the process, now. */
  readonly kill: () => void;
}

export interface GuardWatch {
  hold(held: Held): void;
  take(snapshot: Snapshot): void;
  /** One round: bounded, never rejects, one at a time. */
  look(): Promise<void>;
  /** Time between two rounds. */
  readonly periodMs: number;
}

/** How many rounds without a turn are a standstill: one may be late for the machine's sake. */
const roundsMin = 3;

export function createGuardWatch(options: GuardWatchOptions): GuardWatch {
  const { clock, leaseMs } = options;
  const periodMs = guardPeriodMs(leaseMs);
  const renewMs = Math.min(leaseMs, limits.presenceMs) / 3;
  const holding = new Map<string, Held>();
  let snapshot: Snapshot = { presence: options.presence, tokens: [], upTo: 0, slots: [] };
  let snapshotAt = clock.elapsed();
  let lookedAt = clock.elapsed();
  let turnsSeen = options.turns();
  let stoodMs = 0;
  let frames: readonly string[] | null = null;
  let handlers: readonly string[] = [];
  let warned = false;
  let renewAt = -Infinity;
  let beatAt = -Infinity;
  let answered = 0;
  let answer: WorkerStack | null = null;

  async function look(): Promise<void> {
    listen();
    const elapsed = clock.elapsed();
    const turns = options.turns();
    // A process that was stopped, or a machine that slept, stood still as a whole: that is nobody's block.
    const passedMs = Math.min(elapsed - lookedAt, 2 * periodMs);
    lookedAt = elapsed;
    if (turns !== turnsSeen) {
      if (isStanding()) end();
      turnsSeen = turns;
      stoodMs = 0;
      return;
    }
    stoodMs += passedMs;
    if (isStanding()) await stand();
  }

  const hold = (held: Held): void => void holding.set(held.token, held);
  const listen = (): void => options.claimed().forEach(hold);

  const isStanding = (): boolean => stoodMs >= roundsMin * periodMs;

  async function stand(): Promise<void> {
    handlers = options.inFlight();
    // A person at a breakpoint has all the time there is.
    const isOver = stoodMs >= boundMs() && !options.isDebugged();
    if (isOver || (stoodMs >= limits.loopWarnMs && !options.isDebugged())) frames ??= await options.stack();
    if (isOver) giveUp();
    else {
      if (frames !== null && !warned) options.warn(standing());
      warned ||= frames !== null;
      await beat();
    }
  }

  /** A handler that may run for a second is not given ten minutes; but one that is a little late must not cost the others their runs. */
  function boundMs(): number {
    let longestMs = 0;
    for (const { runMs } of holding.values()) longestMs = Math.max(longestMs, runMs ?? Infinity);
    return longestMs === 0 ? options.blockMaxMs : Math.min(options.blockMaxMs, longestMs + limits.graceMs);
  }

  function giveUp(): void {
    options.warn(`${standing()} That is too long: this process ends itself, and the engine gives its tasks to others.`);
    options.kill();
  }

  function standing(): string {
    const { at } = block();
    const who = handlers.length === 0 ? 'No handler is in flight' : `In flight: ${handlers.join(', ')}`;
    return `The event loop has not turned for ${formatDuration(Math.round(stoodMs))}. ${who}${at === null ? '' : `; it stands at ${at}`}.`;
  }

  function block(): LoopBlock {
    return { forMs: Math.round(stoodMs), handlers, at: ownFrame(frames ?? []) };
  }

  async function beat(): Promise<void> {
    const elapsed = clock.elapsed();
    const all = elapsed >= renewAt;
    if (!all && elapsed < beatAt) return;
    const leases = all ? beatsOf() : [];
    beatAt = elapsed + limits.guardBeatMs;
    try {
      const broker = await options.broker();
      for (let at = 0; at === 0 || at < leases.length; at += limits.batchMax)
        await send(broker, leases.slice(at, at + limits.batchMax));
      if (all) renewAt = elapsed + renewMs;
      if (all) options.renewed(clock.elapsed() - elapsed);
    } catch {
      // The store is away or locked, perhaps by the very loop that stands: the next round tries again.
    }
  }

  async function send(broker: Pick<Broker, 'heartbeat'>, beats: readonly Beat[]): Promise<void> {
    const stack = answer;
    const worker: Presence = { ...snapshot.presence, definitions: null, blocked: block() };
    const reply = await broker.heartbeat({ worker, leaseMs, beats, ...(stack === null ? {} : { stack }) });
    if (stack === answer) answer = null;
    for (const [index, told] of reply.beats.entries()) if (told === 'lost') forget(beats[index] as Beat);
    await hear(reply);
  }

  /** Only a question can be answered for the loop; what it must do itself waits until it turns. */
  async function hear({ commands }: HeartbeatAnswer): Promise<void> {
    const asked = commands.find(({ id, command }) => command.kind === 'stack' && id > answered);
    if (asked === undefined) return;
    answered = asked.id;
    options.answered(asked.id);
    const now = await options.stack();
    frames ??= now;
    answer = {
      answers: asked.id,
      slots: slotStacks(running().slice(0, limits.stackSlotsMax)),
      loop: { blockedMs: Math.round(stoodMs), frames: now },
    };
    beatAt = -Infinity;
  }

  /** As they were when the loop last turned, and those that have begun since. */
  function running(): RunningSlot[] {
    const passedMs = Math.round(clock.elapsed() - snapshotAt);
    const held = new Set(
      [...holding.values()].flatMap(({ taskIds, epochs }) => taskIds.map((id, at) => runName(id, epochs[at]))),
    );
    const slots = new Map<string, RunningSlot>();
    for (const slot of snapshot.slots)
      slots.set(runName(slot.taskId, slot.epoch), { ...slot, ranMs: slot.hasBegun ? slot.ranMs + passedMs : 0 });
    for (const run of options.begun()) {
      const name = runName(run.taskId, run.epoch);
      if (!held.has(name) || slots.get(name)?.hasBegun === true || !handlers.includes(run.name)) continue;
      slots.set(name, { ...run, hasBegun: true, ranMs: Math.round(stoodMs), doing: null });
    }
    return [...slots.values()];
  }

  /** Who has not begun must not be told to have: from a start its time counts, and the end of the worker as its fault. */
  function beatsOf(): Beat[] {
    const begun = running().filter(({ hasBegun }) => hasBegun);
    const ran = new Map(begun.map(({ taskId, epoch, ranMs }) => [runName(taskId, epoch), ranMs]));
    const news = { progress: null, logs: [], checkpoints: [] };
    return [...holding.values()].flatMap(({ token, taskIds, epochs }) =>
      taskIds.map((taskId, index) => ({
        lease: { taskId, token, epoch: epochs[index] ?? 0 },
        ranMs: ran.get(runName(taskId, epochs[index])) ?? null,
        ...news,
      })),
    );
  }

  function forget({ lease: { taskId, token } }: Beat): void {
    const held = holding.get(token);
    if (held === undefined) return;
    const stays = held.taskIds.map((id) => id !== taskId);
    const [taskIds, epochs] = [held.taskIds.filter((_, at) => stays[at]), held.epochs.filter((_, at) => stays[at])];
    holding.set(token, { ...held, taskIds, epochs });
  }

  function end(): void {
    const { forMs: blockedMs, at } = block();
    options.onEnd({ blockedMs, handlers, at });
    frames = null;
    warned = false;
    renewAt = -Infinity;
    beatAt = -Infinity;
  }

  return {
    periodMs,
    hold,
    take(next) {
      listen();
      snapshot = next;
      snapshotAt = clock.elapsed();
      const living = new Set(next.tokens);
      for (const [token, { order }] of holding) if (order <= next.upTo && !living.has(token)) holding.delete(token);
    },
    look,
  };
}

/** Of a task's runs one: what was known of an earlier one says nothing of this. */
const runName = (taskId: string, epoch = 0): string => `${taskId} ${epoch}`;

/** Time between two turns that are counted, and between two looks at the count: a standstill is seen well within a lease. */
export function guardPeriodMs(leaseMs: number): number {
  return Math.min(limits.guardMs, leaseMs / 12);
}
