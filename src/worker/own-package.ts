/**
 * Lets task files import this package where nobody installed it: beside a `taskflow` that `npx` fetched or that was installed
 * for all projects, a folder with one task file is enough to begin. What a project has installed itself always comes first.
 */

import { registerHooks } from 'node:module';

/** This package, and the one that its examples write schemas with. */
const lent = /^(taskflowjs|zod)(\/|$)/;

let isReady = false;

/** From the first call on, for this thread; later calls do nothing. */
export function lendOwnPackage(): void {
  if (isReady) return;
  isReady = true;
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!lent.test(specifier) || context.parentURL === import.meta.url || !isMissing(error)) throw error;
        return { url: import.meta.resolve(specifier), shortCircuit: true };
      }
    },
  });
}

/** For `import`, and for `require`. */
function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}
