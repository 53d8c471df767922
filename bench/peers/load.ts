/** From the name of a system to its calls. */

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { System } from './system.ts';

/** `name` is a file of this folder; what follows a plus is for TaskFlow: which features its tasks use. */
export async function loadSystem(name: string): Promise<System> {
  const [file = '', variant = 'plain'] = name.split('+');
  const peer = join(import.meta.dirname, `${file}.mjs`);
  const isPeer = await access(peer).then(
    () => true,
    () => false,
  );
  const module = await import(isPeer ? peer : join(import.meta.dirname, `${file}.ts`));
  return (module as { createSystem(variant: string): System }).createSystem(variant);
}
