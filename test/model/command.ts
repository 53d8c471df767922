/** One step of a model run: the same call on the model and on the store, then answers and everything stored compared. */

import { isDeepStrictEqual } from 'node:util';
import type { AsyncCommand } from 'fast-check';
import { expect } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { limits } from '../../src/core/limits.ts';
import type { World } from '../conformance/world.ts';
import type { Book } from './book.ts';

/** The model and what is known of the run. */
export interface Model {
  readonly world: World;
  readonly book: Book;
}

export type Command = AsyncCommand<Model, World>;

/**
 * A command that makes one call. `plan` writes down in the book what it will send, and answers `null` when there is
 * nothing to do it with; `learn` takes what the model answered.
 */
export function callCommand<Answer>(
  words: string,
  plan: (book: Book) => ((broker: Broker) => Promise<Answer>) | null,
  learn: (book: Book, answer: Answer) => void = () => {},
): Command {
  return {
    check: () => true,
    toString: () => words,
    run: async ({ world, book }, real) => {
      const planned = plan(book);
      if (planned === null) return;
      const call = orRefusal(planned);
      const learnAnswer = (answer: Answer | Refusal): void => {
        if (!isRefusal(answer)) learn(book, answer);
      };
      if (book.loseNext) {
        const unheard = await call(world.broker());
        book.loseNext = false;
        learnAnswer(unheard);
        if (isRefusal(unheard)) same(await call(real.broker()), unheard, `the refusal of ${words}`);
        else {
          real.loseNextReply();
          await expect(call(real.broker())).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
        }
      }
      const expected = await call(world.broker());
      learnAnswer(expected);
      same(await call(real.broker()), expected, `the answer of ${words}`);
      await compare(world, real, words);
    },
  };
}

interface Refusal {
  readonly refused: string;
  readonly because: string;
}

/** What a store refuses for the call's own sake is an answer like any other; a lost reply is not. */
function orRefusal<Answer>(call: (broker: Broker) => Promise<Answer>): (broker: Broker) => Promise<Answer | Refusal> {
  return (broker) =>
    call(broker).catch((error: unknown) => {
      if (!(error instanceof TaskFlowError) || error.code === 'STORE_UNREACHABLE') throw error;
      return { refused: error.code, because: error.message };
    });
}

function isRefusal<Answer>(answer: Answer | Refusal): answer is Refusal {
  return typeof answer === 'object' && answer !== null && 'refused' in answer;
}

/** A command that does something to both sides other than a call. */
export function worldCommand(words: string, act: (world: World, book: Book) => Promise<void> | void): Command {
  return {
    check: () => true,
    toString: () => words,
    run: async ({ world, book }, real) => {
      await act(world, book);
      await act(real, book);
      await compare(world, real, words);
    },
  };
}

async function compare(model: World, real: World, words: string): Promise<void> {
  const expected = await model.dump();
  same(await real.dump(), expected, `what is stored after ${words}`);
  same(await real.broker().getQueues(), await model.broker().getQueues(), `the queues after ${words}`);
  for (const id of Object.keys(expected.tasks)) {
    same(await real.store.record(id), await model.store.record(id), `attempts and logs of ${id} after ${words}`);
  }
  const { now } = await model.broker().info();
  const stored = comparable(await real.store.events(), now);
  same(stored, comparable(await model.store.events(), now), `the events after ${words}`);
  await real.checkAll();
}

/** Numbers may have gaps, items of one call may come in any order, and events past their time may be there or not. */
function comparable(events: readonly BatchEvent[], now: number): unknown {
  const inOrder = (items: BatchEvent['items']): BatchEvent['items'] =>
    items.toSorted((left, right) => left.taskId.localeCompare(right.taskId) || left.version - right.version);
  const kept = events.filter(({ at }) => at + limits.eventsKeepMs > now);
  return kept.map(({ at, kind, items }) => ({ at, kind, items: inOrder(items) }));
}

/** `expect` is slow; it is asked for the difference only where there is one. */
function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual, what).toEqual(expected);
}
