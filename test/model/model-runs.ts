/** Compares a store with the memory model over random series of calls. */

import fc from 'fast-check';
import { describe, test } from 'vitest';
import { createMemoryStore } from '../conformance/memory-store.ts';
import type { CreateStore } from '../conformance/store.ts';
import { createWorld } from '../conformance/world.ts';
import { createBook } from './book.ts';
import { commandArbitraries } from './commands.ts';

export interface ModelRuns {
  /** How many series; `MODEL_RUNS` overrides it. */
  readonly runs: number;
  /** Most calls of one series. */
  readonly commandsMax: number;
}

/**
 * Declares the runs for a store. A failing run is shrunk and prints `seed`, `path` and `replayPath`; the same run again:
 * `MODEL_SEED=… MODEL_PATH=… MODEL_REPLAY=… npx vitest run test/model`.
 */
export function runModel(storeName: string, createStore: CreateStore, { runs, commandsMax }: ModelRuns): void {
  const { MODEL_SEED, MODEL_PATH, MODEL_REPLAY, MODEL_RUNS } = process.env;
  const replay = {
    ...(MODEL_SEED !== undefined && { seed: Number(MODEL_SEED) }),
    ...(MODEL_PATH !== undefined && { path: MODEL_PATH }),
  };
  const series = fc.commands([...commandArbitraries], {
    maxCommands: commandsMax,
    size: 'max',
    ...(MODEL_REPLAY !== undefined && { replayPath: MODEL_REPLAY }),
  });

  describe(`${storeName} against the model`, () => {
    test('any series of calls gives the same answers and leaves the same state', { timeout: 300_000 }, async () => {
      const property = fc.asyncProperty(series, async (commands) => {
        const [model, real] = [await createWorld(createMemoryStore), await createWorld(createStore)];
        try {
          await fc.asyncModelRun(() => ({ model: { world: model, book: createBook() }, real }), commands);
        } finally {
          await real.close();
          await model.close();
        }
      });
      await fc.assert(property, { numRuns: MODEL_RUNS === undefined ? runs : Number(MODEL_RUNS), ...replay });
    });
  });
}
