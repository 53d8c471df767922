/** Tests that every operation is named as it is listed, described, and reachable over HTTP. */
import { describe, expect, test } from 'vitest';
import { apiRoutes } from '../api/routes.ts';
import type { Operation } from './operation.ts';
import { operations } from './registry.ts';

const all = Object.entries(operations) as unknown as readonly (readonly [string, Operation<unknown, unknown>])[];

describe.each(all)('%s', (name, operation) => {
  test('is listed under its own name, with a summary in one line', () => {
    expect(operation.name).toBe(name);
    expect(operation.summary).toMatch(/^[A-Z].*[^.]$/);
  });

  test('has a schema that refuses what it does not know', async () => {
    const schema = await operation.schema();
    expect(schema.safeParse({ nonsense: 1 }).success).toBe(false);
  });

  test('has a route of the API', () => {
    expect(apiRoutes.filter((route) => route.operation === name).length).toBeGreaterThanOrEqual(1);
  });
});

test('a viewer only reads', () => {
  const changing =
    /\.(enqueue|cancel|retry|remove|drop|delete|run|backfill|pause|resume|limit|weight|set|drain|scale|stack|restart)$/;
  for (const [name, { role }] of all) expect([name, role === 'viewer']).toEqual([name, !changing.test(name)]);
});
