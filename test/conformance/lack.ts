/** What a store cannot do yet, said once: the cases that need it are left out by this list, never by hand. */

import type { Broker } from '../../src/broker/broker.ts';
import { createMemoryStore } from './memory-store.ts';
import type { CreateStore } from './store.ts';
import { type Case, createWorld } from './world.ts';

/** Something of the seam that an adapter refuses. */
export interface Lack {
  /** As NOT_SUPPORTED names it. */
  readonly what: string;
  readonly why: string;
  /** Whether a call asks for it. */
  readonly isAsked: (method: string, given: readonly unknown[]) => boolean;
  /** A call that asks for nothing else. */
  readonly ask: (broker: Broker) => Promise<unknown>;
}

/** Thrown in place of a call that asks for what is lacking. */
export class Lacking extends Error {
  readonly lack: Lack;

  constructor(lack: Lack) {
    super(`needs ${lack.what}`);
    this.lack = lack;
  }
}

/** The same store, whose calls throw {@link Lacking} before anything is done when they ask for what is lacking. */
export function without(lacks: readonly Lack[], createStore: CreateStore, onLack: (lack: Lack) => void): CreateStore {
  return async (options) => {
    const store = await createStore(options);
    return { ...store, connect: async () => refusing(await store.connect(), lacks, onLack) };
  };
}

function refusing<Target extends object>(target: Target, lacks: readonly Lack[], onLack: (lack: Lack) => void): Target {
  return new Proxy(target, {
    get(broker, name, receiver) {
      const member: unknown = Reflect.get(broker, name, receiver);
      if (typeof member === 'object' && member !== null && name === 'schedules') return refusing(member, lacks, onLack);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]): unknown => {
        const lack = lacks.find(({ isAsked }) => isAsked(String(name), given));
        if (lack === undefined) return member.apply(broker, given);
        onLack(lack);
        return Promise.reject(new Lacking(lack));
      };
    },
  });
}

/** The cases that need nothing of the list, and how many others need each entry: found by running all of them on the model. */
export async function findApplicable(
  cases: readonly Case[],
  lacks: readonly Lack[],
): Promise<{ readonly applicable: readonly Case[]; readonly needs: ReadonlyMap<Lack, number> }> {
  const applicable: Case[] = [];
  const needs = new Map<Lack, number>(lacks.map((lack) => [lack, 0]));
  for (const one of cases) {
    const lack = await firstNeed(one, lacks);
    if (lack === null) applicable.push(one);
    else needs.set(lack, (needs.get(lack) ?? 0) + 1);
  }
  return { applicable, needs };
}

async function firstNeed([, show]: Case, lacks: readonly Lack[]): Promise<Lack | null> {
  let first: Lack | null = null;
  const note = (lack: Lack): void => {
    first ??= lack;
  };
  const world = await createWorld(without(lacks, createMemoryStore, note));
  // A case that fails on the model for another reason is for the model's own suite to tell.
  await show(world).catch(() => {});
  // The reply that a case was about to lose may be that of its end.
  await world.close().catch(() => {});
  return first;
}
