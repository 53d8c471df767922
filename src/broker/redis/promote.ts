/** promote: scheduled → queued for what is due (lua/promote.lua). */

import { limits } from '../../core/limits.ts';
import type { PromoteAnswer } from '../broker.ts';
import type { Connection } from './connection.ts';
import { type Hints, signalsOf, type Told } from './signals.ts';

export async function promote(connection: Connection, limit: number): Promise<Told<PromoteAnswer>> {
  const most = Math.min(limit, limits.batchMax);
  const [promoted, hints, nextInMs] = await connection.run<[number, Hints, number]>('promote', [most]);
  return {
    answer: { promoted, nextInMs: nextInMs < 0 ? null : nextInMs },
    signals: signalsOf(hints),
    isTold: hints[4] === 1,
  };
}
