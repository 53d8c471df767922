/** The processes under torture: started as people start them, restarted when they die, and never left behind. */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { ProcessEntry } from '../checker/evidence.ts';
import { type Clock, sleep } from '../core/time.ts';
import { machineMs } from './notes.ts';

export type SeatKind = 'worker' | 'server' | 'client';

/** A place for one process after the other. */
export interface Seat {
  readonly kind: SeatKind;
  readonly name: string;
  member: Member | null;
}

export interface Member {
  /** Its number among all processes of the run; the system may use a pid again. */
  readonly number: number;
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  isAlive: boolean;
  isFrozen: boolean;
  /** Whether we ended it, or asked it to end. */
  isDoomed: boolean;
  /** Whether it was told to end in order. */
  isStopping: boolean;
}

/** How a process ended. */
export interface Exit {
  readonly seat: Seat;
  readonly number: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Neither we nor a handler wanted it. */
  readonly wasAsked: boolean;
  readonly wasStopping: boolean;
}

export interface CrewOptions {
  readonly folder: string;
  readonly clock: Clock;
  /** The command line and environment of a seat's next process. */
  readonly launch: (seat: Seat, number: number) => Launch;
  readonly onFate: (entry: ProcessEntry) => void;
  readonly onExit: (exit: Exit) => void;
  /** How long what died stays away, drawn anew each time. */
  readonly awayMs: () => number;
}

export interface Launch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Crew {
  readonly seats: readonly Seat[];
  /** Takes a seat and starts its first process. */
  add(kind: SeatKind, name: string): Seat;
  kill(seat: Seat): boolean;
  freeze(seat: Seat, ms: number): boolean;
  /** Asks it to end; its seat is taken again when it has. */
  restart(seat: Seat): boolean;
  thawAll(): void;
  /** From now on whoever died is back soon. */
  hurry(): void;
  /** Ends all of a kind in order; those that take longer than `withinMs` are killed and named. */
  stop(kind: SeatKind, withinMs: number): Promise<readonly string[]>;
  /** Kills whatever is left, at once. */
  end(): Promise<void>;
}

/** How soon the next process comes where nobody wants to be away. */
const hurryMs = 100;

export function createCrew(options: CrewOptions): Crew {
  const { folder, clock } = options;
  const seats: Seat[] = [];
  const gone = new Set<Seat>();
  let isHurried = false;
  let started = 1;

  function start(seat: Seat): void {
    if (gone.has(seat)) return;
    const number = ++started;
    const { argv, env } = options.launch(seat, number);
    const log = openSync(join(folder, 'logs', `${number}-${seat.name}.log`), 'a');
    const child = spawn(process.execPath, [...argv], {
      cwd: folder,
      env: { ...surroundings(), ...env },
      // A client hears on its stdin how much work there is; and that we are gone, when it ends.
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined);
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    const member: Member = {
      number,
      child,
      exited,
      isAlive: true,
      isFrozen: false,
      isDoomed: false,
      isStopping: false,
    };
    seat.member = member;
    const onEnd = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (!member.isAlive) return;
      member.isAlive = false;
      options.onFate({ at: machineMs(), pid: number, what: 'gone' });
      options.onExit({ seat, number, code, signal, wasAsked: member.isDoomed, wasStopping: member.isStopping });
      resolve();
      // One that cannot live must not be started all the time.
      const restMs = isHurried || member.isStopping ? hurryMs : options.awayMs();
      clock.schedule(member.isDoomed ? restMs : Math.max(restMs, 1_000), () => start(seat));
    };
    child.on('exit', onEnd);
    child.on('error', () => onEnd(null, null));
  }

  // Whatever ends this process must not leave any of the others behind.
  process.on('exit', () => {
    for (const { member } of seats) if (member?.isAlive === true) member.child.kill('SIGKILL');
  });

  const isUp = (member: Member | null): member is Member => member?.isAlive === true && !member.isDoomed;

  function thaw(member: Member): void {
    if (!member.isFrozen) return;
    member.isFrozen = false;
    member.child.kill('SIGCONT');
    options.onFate({ at: machineMs(), pid: member.number, what: 'thawed' });
  }

  function kill(member: Member): void {
    member.isDoomed = true;
    // Before it is done: a process must not be blamed for a moment in which it may have been gone already.
    options.onFate({ at: machineMs(), pid: member.number, what: 'gone' });
    member.child.kill('SIGKILL');
  }

  function terminate(member: Member): void {
    member.isDoomed = true;
    member.isStopping = true;
    thaw(member);
    member.child.kill('SIGTERM');
  }

  async function stopSeat(seat: Seat, withinMs: number): Promise<string | null> {
    gone.add(seat);
    const { member } = seat;
    if (member === null || !member.isAlive) return null;
    terminate(member);
    const isLate = await Promise.race([member.exited.then(() => false), sleep(clock, withinMs).then(() => true)]);
    if (!isLate) return null;
    kill(member);
    await member.exited;
    return seat.name;
  }

  return {
    seats,
    add(kind, name) {
      const seat: Seat = { kind, name, member: null };
      seats.push(seat);
      start(seat);
      return seat;
    },
    kill({ member }) {
      if (!isUp(member)) return false;
      kill(member);
      return true;
    },
    freeze({ member }, ms) {
      if (!isUp(member) || member.isFrozen) return false;
      member.isFrozen = true;
      options.onFate({ at: machineMs(), pid: member.number, what: 'frozen' });
      member.child.kill('SIGSTOP');
      clock.schedule(ms, () => thaw(member));
      return true;
    },
    restart({ member }) {
      if (!isUp(member) || member.isFrozen) return false;
      terminate(member);
      return true;
    },
    thawAll() {
      for (const { member } of seats) if (member !== null) thaw(member);
    },
    hurry() {
      isHurried = true;
    },
    async stop(kind, withinMs) {
      const names = await Promise.all(
        seats.filter((seat) => seat.kind === kind).map((seat) => stopSeat(seat, withinMs)),
      );
      return names.filter((name) => name !== null);
    },
    async end() {
      for (const seat of seats) {
        gone.add(seat);
        if (seat.member?.isAlive === true) kill(seat.member);
      }
      await Promise.all(seats.map(({ member }) => member?.exited));
    },
  };
}

/** The environment without what configures another TaskFlow. */
function surroundings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TASKFLOW_')));
}
