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

test('what a worker says is a POST for its keys alone, and its tasks tell of it in place of the audit', () => {
  const verbs = ['register', 'claim', 'heartbeat', 'listen', 'outcome', 'parents', 'deregister'];
  const ofWorkers = all.filter(([, { scope }]) => scope === 'work');
  expect(ofWorkers.map(([name]) => name)).toEqual(verbs.map((verb) => `worker.${verb}`));
  for (const [, { role, rest, audit }] of ofWorkers)
    expect({ role, method: rest.method, audit }).toEqual({ role: 'operator', method: 'POST', audit: null });
});

test('of all others, what only reads is a GET without a line in the audit, for viewers or for admins, and nothing else is', () => {
  for (const [name, { role, scope, rest, audit }] of all) {
    if (scope === 'work') continue;
    const isForAdmins = role === 'admin' && (scope === 'admin' || scope === 'reveal');
    const reads = [
      isForAdmins || role === 'viewer',
      isForAdmins || scope === 'read',
      rest.method === 'GET',
      audit === null,
    ];
    expect([name, new Set(isForAdmins ? reads.slice(2) : reads).size]).toEqual([name, 1]);
  }
});

test('no two operations have one address', () => {
  const addresses = all.map(([, { rest }]) => `${rest.method} ${rest.path.replaceAll(/:\w+/g, ':')}`);
  expect(new Set(addresses).size).toBe(addresses.length);
});

test('the audit names fields of the input only', async () => {
  for (const [name, { audit, schema }] of all) {
    const { shape } = (await schema()) as unknown as { shape: Record<string, unknown> };
    for (const [, field = ''] of (audit ?? '').matchAll(/\{(\w+)\}/g))
      expect([name, Object.keys(shape)]).toEqual([name, expect.arrayContaining([field])]);
  }
});
