// Brings Node, node_modules and dist/ up to date, each only when it must be.

import { fileURLToPath } from 'node:url';
import { nodeIsNewEnough } from './places.mjs';
import { orRefuse } from './refusal.mjs';

/**
 * Returns on Node 24 or later with node_modules in place, and with a current dist/ when `build` is set. On an older
 * Node it runs `script` (a file URL) again on a newer one and ends as that ends.
 */
export function prepare(script, { build }) {
  return orRefuse(async () => {
    if (!nodeIsNewEnough) {
      const { node24 } = await import('./node24.mjs');
      const { handover } = await import('./handover.mjs');
      await handover(await node24(), [fileURLToPath(script), ...process.argv.slice(2)]);
    }
    const { install } = await import('./install.mjs');
    await install();
    if (build) await (await import('./build.mjs')).build();
  });
}
