/** The model against itself: what is tested is that no series of calls breaks an invariant. */

import { createMemoryStore } from '../conformance/memory-store.ts';
import { runModel } from './model-runs.ts';

runModel('memory', createMemoryStore, { runs: 150, commandsMax: 60 });
