/** What of a store is good enough, as its URL asks for it, and the refusal of one that keeps less. */

import { taskFlowError } from '../core/errors.ts';
import type { BrokerInfo } from './broker.ts';

/** What a server keeps when its process or its machine dies, and the settings that say so. */
export type Durability = Pick<BrokerInfo, 'durability' | 'detail'>;

/** The least that will do: `any` also takes a server whose settings may not be read, or that keeps nothing. */
export type WantedDurability = 'strict' | 'standard' | 'any';

const all: readonly WantedDurability[] = ['strict', 'standard', 'any'];
const ranks = { volatile: 0, unverified: 0, standard: 1, strict: 2 } as const;

/** What a URL says. Throws a sentence about what is wrong with it. */
export function readWanted(text: string): WantedDurability {
  const wanted = all.find((one) => one === text);
  if (wanted === undefined) throw new Error(`durability is one of ${all.join(', ')}`);
  return wanted;
}

/** Where a server is, for people, what of it will do, and what to do where it keeps less. */
export interface Wish {
  readonly masked: string;
  readonly wanted: WantedDurability;
  readonly hintFor: (durability: Durability['durability']) => string;
}

/** Throws STORE_WEAK for a server that keeps less than was asked for. */
export function refuseWeak({ durability, detail }: Durability, { masked, wanted, hintFor }: Wish): void {
  if (wanted === 'any' || ranks[durability] >= ranks[wanted]) return;
  const told = { server: masked, durability, detail, wanted };
  throw taskFlowError('STORE_WEAK', told, { hint: hintFor(durability) });
}
