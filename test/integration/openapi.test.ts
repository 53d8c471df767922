/** Tests the description of the API: a strict linter finds nothing, every example is valid, every operation is in it. */

import { createConfig, lintFromString } from '@redocly/openapi-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Contract, readContract } from '../../src/api/contract.ts';
import { exampleInput, exampleOutput } from '../../src/api/example.ts';
import { describeApi } from '../../src/api/openapi.ts';
import { apiRoutes } from '../../src/api/routes.ts';
import { TaskFlowError } from '../../src/core/errors.ts';
import { perform } from '../../src/operations/operation.ts';
import { operations } from '../../src/operations/registry.ts';
import { createOperationWorld } from '../support/operation-world.ts';

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
}

let contract: Contract;
let described: Described;
beforeAll(async () => {
  contract = await readContract();
  described = (await describeApi({ version: '1.2.3', url: 'http://127.0.0.1:8000' })) as unknown as Described;
});

test('a strict linter has nothing to say', async () => {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      // `/tasks/cancel` beside `/tasks/{id}`: OpenAPI has a concrete path go before a template, and so does the server.
      'no-ambiguous-paths': 'off',
      // A server of one's own is there where it is.
      'no-server-example.com': 'off',
    },
  });
  const problems = await lintFromString({ source: JSON.stringify(described), config });
  const told = problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`);
  expect(told).toEqual([]);
});

test('every operation is in it under its name, at its address, and nothing else is', () => {
  const found = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => `${operationId} ${method.toUpperCase()} ${path}`),
  );
  const routes = apiRoutes
    .filter(({ path }) => path.startsWith('/api/'))
    .map(({ method, path, operation }) => `${operation} ${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  expect(found.sort()).toEqual(['health GET /health', ...routes].sort());
  expect(found).toHaveLength(Object.keys(operations).length + 1);
});

describe('every operation', () => {
  test.each(Object.keys(operations))('%s has an example that it takes, and one that it could answer', async (name) => {
    const endpoint = contract.endpoints.find(({ operation }) => operation.name === name)!;
    const input = (await endpoint.operation.schema()).safeParse(exampleInput(endpoint));
    expect(input.error?.issues).toBeUndefined();
    const { eventsOf = endpoint.operation.output } = endpoint.operation.rest;
    const output = (await eventsOf()).safeParse(exampleOutput(endpoint, contract.schemas));
    expect(output.error?.issues).toBeUndefined();
  });

  test('takes its own example: what that names may not be there, and nothing of it is wrong', async () => {
    const world = await createOperationWorld();
    for (const endpoint of contract.endpoints) {
      const { operation } = endpoint;
      const code = await perform(operation, world.context, exampleInput(endpoint)).then(
        () => 'done',
        (error: unknown) => (error instanceof TaskFlowError ? error.code : String(error)),
      );
      const isWell = code === 'done' || code === 'LEASE_LOST' || code.endsWith('_NOT_FOUND');
      expect([operation.name, isWell, code]).toEqual([operation.name, true, code]);
    }
    await world.close();
  });
});

test('what follows events is told as a stream, with the shape of each', () => {
  const { responses } = described.paths['/api/v1/events']!.get as unknown as {
    readonly responses: Readonly<Record<string, { readonly content: object }>>;
  };
  expect(responses[200]!.content).toMatchObject({
    'text/event-stream': { schema: { $ref: '#/components/schemas/LiveMessage' }, example: { type: 'open' } },
  });
  expect(responses[200]!.content).not.toHaveProperty('application/json');
  expect(contract.schemas).not.toHaveProperty('LivePlan');
  expect(contract.schemas.LiveMessage).toHaveProperty('oneOf');
});
