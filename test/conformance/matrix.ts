/** Every method on a task in every state, once and with a lost reply: made from the transition table. */

import { expect } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { type TaskState, type TransitionName, taskStates, transitions } from '../../src/core/states.ts';
import type { Move, Place } from './move.ts';
import { moves } from './moves.ts';
import type { Case, Subject, World } from './world.ts';

const places: readonly Place[] = ['absent', ...taskStates];

/** Rows of the table that nothing can exercise yet, each with its reason. */
const unreachable: Partial<Record<TransitionName, string>> = {};

/** Ends of a row that cannot be reached yet, each with its reason. */
const unreachableTo: Partial<Record<TransitionName, Partial<Record<TaskState, string>>>> = {
  unblock: { cancelled: 'a flow is cancelled with all that waits; what is let go later is shown among the flows' },
  retry: { blocked: 'a finished task with an unfinished parent takes two tasks; shown among the dependencies' },
};

function takesEffect(move: Move, place: Place): boolean {
  if (move.alsoIn?.includes(place)) return true;
  if (move.transition === null) return false;
  const from: readonly (TaskState | null)[] = transitions[move.transition].from;
  return from.includes(place === 'absent' ? null : place);
}

async function arrange(world: World, move: Move, place: Place): Promise<Subject> {
  const subject = await world.bring(place, { key: 'order-7', ...move.given });
  await move.prepare?.(world, subject, place);
  return subject;
}

function caseOf(move: Move, place: Place): Case {
  const happens = takesEffect(move, place);
  return [
    `${move.name} on ${words[place]} ${happens ? 'does just that' : 'changes nothing'}`,
    async (world) => {
      const subject = await arrange(world, move, place);
      await world.check(
        (broker) => move.call(broker, subject, world),
        move.answer(place, subject),
        happens ? move.effect(place, subject, world) : {},
      );
    },
  ];
}

function lostReplyCaseOf(move: Move, place: Place): Case {
  const happens = takesEffect(move, place);
  return [
    `${move.name} on ${words[place]}, sent again after a lost reply, ${happens ? 'takes effect once' : 'changes nothing'}`,
    async (world) => {
      const subject = await arrange(world, move, place);
      const losing = async (broker: Broker): Promise<unknown> => {
        world.loseNextReply();
        return move.call(broker, subject, world).then(
          () => 'arrived',
          () => 'lost',
        );
      };
      await world.check(losing, 'lost', happens ? move.effect(place, subject, world) : {});
      const again = happens ? (move.again ?? move.answer) : move.answer;
      await world.check((broker) => move.call(broker, subject, world), again(place, subject));
    },
  ];
}

const words: Readonly<Record<Place, string>> = {
  absent: 'an unknown task',
  blocked: 'a blocked task',
  scheduled: 'a scheduled task',
  queued: 'a queued task',
  running: 'a running task',
  succeeded: 'a succeeded task',
  failed: 'a failed task',
  cancelled: 'a cancelled task',
};

const completeness: Case = [
  'every row of the transition table is tried, or says why it cannot be',
  async () => {
    for (const name of Object.keys(transitions) as TransitionName[]) {
      const reached = new Set(moves.filter(({ transition }) => transition === name).map(({ to }) => to));
      const to: readonly (TaskState | null)[] = transitions[name].to;
      const reachable =
        name in unreachable ? [] : to.filter((state) => state === null || !(state in (unreachableTo[name] ?? {})));
      expect([...reached].sort(), name).toEqual([...reachable].sort());
    }
  },
];

function everywhere(make: (move: Move, place: Place) => Case): readonly Case[] {
  return moves.flatMap((move) =>
    places.filter((place) => !(place in (move.exceptIn ?? {}))).map((place) => make(move, place)),
  );
}

export const matrixCases: readonly Case[] = [completeness, ...everywhere(caseOf), ...everywhere(lostReplyCaseOf)];
