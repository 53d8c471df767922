/** Follows a run while it goes on: hands events and notes to the judge, each note before the event it led to. */

import { appendFileSync } from 'node:fs';
import type { ProcessEntry, SettingEntry } from '../checker/evidence.ts';
import type { Judge } from '../checker/judge.ts';
import type { BatchEvent } from '../core/events.ts';
import { isFinished } from '../core/states.ts';
import type { History } from '../history/history.ts';
import { readClientNote, readHandlerNote } from './note-reader.ts';
import { type Author, type Doing, fatesPath, notesPath, settingsPath } from './notes.ts';
import { createTail, type Tail } from './tail.ts';
import type { Ticks } from './ticks.ts';

/**
 * A setting that was asked for, in the time of the store: until it was answered, each `configure` event since then is one of it. There
 * may be several: a call whose answer was lost is made again.
 */
export interface Wish {
  readonly setting: Omit<SettingEntry, 'seq'>;
  readonly since: number;
  /** `null` while it is being asked for. */
  until: number | null;
}

export interface Follower {
  /** Reads the notes of a process from now on. */
  follow(author: Author, number: number): void;
  /** What became of a process. When it is gone, what it has written by now is all. */
  fate(entry: ProcessEntry): void;
  /** A setting is about to change: one after the other, none in the same millisecond as the next. */
  expect(wish: Wish): void;
  /** Takes in what there is. Answers how many events that were. */
  look(): Promise<number>;
  /** Ids of tasks that were lately stored, and lately finished, newest last. */
  readonly fresh: readonly string[];
  readonly finished: readonly string[];
  /** How often handlers did something to their process. */
  readonly done: Readonly<Record<Doing, number>>;
  /** Answers that were no answers, by their code. */
  readonly codes: Readonly<Record<string, number>>;
}

/** Events of one look, each of many tasks. */
const pageMax = 500;
const idsKept = 400;

export interface FollowerOptions {
  readonly folder: string;
  readonly history: Pick<History, 'events'>;
  readonly judge: Judge;
  readonly ticks: Pick<Ticks, 'stored'>;
}

export function createFollower({ folder, history, judge, ticks }: FollowerOptions): Follower {
  const tails = new Map<string, { readonly tail: Tail; readonly author: Author; readonly number: number }>();
  const left = new Set<number>();
  const wishes: Wish[] = [];
  const fresh: string[] = [];
  const finished: string[] = [];
  let after = 0;
  const done = { block: 0, free: 0, bomb: 0, exit: 0 };
  const codes: Record<string, number> = {};
  /** Each event is taken once, however many look at the same time. */
  let looking: Promise<number> | null = null;

  function readNotes(): void {
    for (const [path, { tail, author, number }] of tails) {
      const isOver = left.has(number);
      tail.read((line) => takeNote(author, number, line));
      if (!isOver) continue;
      tail.close();
      tails.delete(path);
    }
  }

  function takeNote(author: Author, number: number, line: string): void {
    if (author === 'client') {
      const entry = readClientNote(number, line);
      if (entry.step === 'info') codes[entry.code ?? ''] = (codes[entry.code ?? ''] ?? 0) + 1;
      judge.client(entry);
      return;
    }
    const note = readHandlerNote(number, line);
    if ('taskId' in note) {
      judge.effect(note);
      return;
    }
    const { at, doing, own } = note;
    done[doing] += 1;
    // While its loop is blocked a process can act no more than a stopped one.
    if (own) return;
    if (doing === 'block' || doing === 'bomb') judge.process({ at, pid: number, what: 'frozen' });
    if (doing === 'free') judge.process({ at, pid: number, what: 'thawed' });
  }

  /** Events come in the order of their times: what was answered before this one is over. */
  function wishAt(at: number): Wish | undefined {
    while (wishes[0] !== undefined && wishes[0].until !== null && wishes[0].until < at) wishes.shift();
    const [wish] = wishes;
    return wish !== undefined && wish.since <= at ? wish : undefined;
  }

  function takeEvent(event: BatchEvent): void {
    const wish = event.kind === 'configure' ? wishAt(event.at) : undefined;
    if (wish !== undefined) {
      const setting: SettingEntry = { ...wish.setting, seq: event.seq };
      appendFileSync(settingsPath(folder), `${JSON.stringify(setting)}\n`);
      judge.setting(setting);
    }
    for (const item of event.items) {
      const { taskId, from, to } = item;
      if (event.kind === 'enqueue') ticks.stored(item);
      if (from === null) keep(fresh, taskId);
      else if (to !== null && isFinished(to)) keep(finished, taskId);
    }
    judge.event(event);
  }

  async function lookOnce(): Promise<number> {
    const events = await history.events(after, pageMax);
    // After the events: what a process wrote before it made one of them is there now.
    readNotes();
    for (const event of events) takeEvent(event);
    after = events.at(-1)?.seq ?? after;
    if (events.length < pageMax) judge.sweep();
    return events.length;
  }

  return {
    fresh,
    finished,
    done,
    codes,
    follow(author, number) {
      const path = notesPath(folder, author, number);
      tails.set(path, { tail: createTail(path), author, number });
    },
    fate(entry) {
      appendFileSync(fatesPath(folder), `${JSON.stringify(entry)}\n`);
      judge.process(entry);
      if (entry.what === 'gone') left.add(entry.pid);
    },
    expect: (wish) => void wishes.push(wish),
    look() {
      looking ??= lookOnce().finally(() => {
        looking = null;
      });
      return looking;
    },
  };
}

function keep(ids: string[], taskId: string): void {
  ids.push(taskId);
  if (ids.length > 2 * idsKept) ids.splice(0, idsKept);
}
