/** Which process could act when: a frozen or dead one cannot be blamed for what its handlers did not do. */

import type { ProcessEntry } from './evidence.ts';

export interface ProcessBook {
  take(entry: ProcessEntry): void;
  isGone(pid: number): boolean;
  /** Whether it was there and not frozen at that time, or all the time `until` another. */
  couldAct(pid: number, at: number, until?: number): boolean;
}

interface Life {
  goneAt: number;
  readonly freezes: { readonly from: number; to: number }[];
}

export function createProcessBook(): ProcessBook {
  const lives = new Map<number, Life>();
  return {
    take({ pid, at, what }) {
      const life = lives.get(pid) ?? { goneAt: Infinity, freezes: [] };
      lives.set(pid, life);
      if (what === 'gone') life.goneAt = at;
      else if (what === 'frozen') life.freezes.push({ from: at, to: Infinity });
      else {
        const freeze = life.freezes.at(-1);
        if (freeze !== undefined) freeze.to = at;
      }
    },
    isGone: (pid) => (lives.get(pid)?.goneAt ?? Infinity) < Infinity,
    couldAct(pid, at, until = at) {
      const life = lives.get(pid);
      if (life === undefined) return true;
      return until < life.goneAt && !life.freezes.some(({ from, to }) => from <= until && at <= to);
    },
  };
}
