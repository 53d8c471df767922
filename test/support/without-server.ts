/** What stands in a file of tests in place of those that want a server that is not there. */

import { expect, test } from 'vitest';
import { installLine, type ServerKind } from '../../src/servers/programs.ts';
import { mayLeaveOut, noteMissing } from './run-servers.ts';

/** Declares that, and has the end of the run tell it. */
export async function declareWithout(kind: ServerKind): Promise<void> {
  await noteMissing(kind);
  test(`a machine without ${kind} is told how to get it, and is none that must have it`, () => {
    expect(installLine([kind])).toMatch(/install/);
    expect(mayLeaveOut()).toBe(true);
  });
}
