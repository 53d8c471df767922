// Runs a tool or a script of this repository on Node 24 with everything it needs in place:
//   node bootstrap/run.mjs [--build] [biome | changeset | tsc | vitest | path/of/script] [arguments]
// On a new Node too in a second process, so that signals and npm's ways with them are the same everywhere.

import { fileURLToPath } from 'node:url';
import { handover } from './handover.mjs';
import { node24 } from './node24.mjs';
import { orRefuse } from './refusal.mjs';

const program = fileURLToPath(new URL('program.mjs', import.meta.url));
await orRefuse(async () => handover(await node24(), [program, ...process.argv.slice(2)]));
