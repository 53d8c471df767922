/** Holds what every operation really answers to the schema that its description promises. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ZodType } from 'zod';
import { type Operation, perform } from '../../src/operations/operation.ts';
import { operations } from '../../src/operations/registry.ts';
import { operationSamples } from '../support/operation-samples.ts';
import { createOperationWorld, type OperationWorld } from '../support/operation-world.ts';

let world: OperationWorld;
beforeEach(async () => {
  world = await createOperationWorld();
});
afterEach(() => world.close());

const all = Object.values(operations) as unknown as readonly Operation<unknown, unknown>[];
const samples = operationSamples as Readonly<
  Record<string, (world: OperationWorld) => readonly unknown[] | Promise<readonly unknown[]>>
>;

describe.each(all)('$name', (operation) => {
  test('answers what its schema says, field for field', async () => {
    const schema = await operation.output();
    const inputs = (await samples[operation.name]?.(world)) ?? [];
    expect(inputs.length).toBeGreaterThan(0);
    for (const input of inputs) {
      const answer = JSON.parse(JSON.stringify(await perform(operation, world.context, input)));
      const { error } = schema.safeParse(answer);
      expect({ input, issues: error?.issues }).toEqual({ input, issues: undefined });
    }
  });

  test('promises no field that nobody would miss, and refuses what it does not know', async () => {
    const schema = await operation.output();
    expect(optionalFields(schema)).toEqual([]);
    const [input] = (await samples[operation.name]?.(world)) ?? [];
    const answer = JSON.parse(JSON.stringify(await perform(operation, world.context, input)));
    expect(schema.safeParse({ ...answer, more: 1 }).success).toBe(false);
  });
});

/** Answers have every field each time: what is not there is null. */
function optionalFields(schema: ZodType): readonly string[] {
  const { shape = {} } = schema as unknown as { shape?: Readonly<Record<string, ZodType>> };
  return Object.entries(shape).flatMap(([name, field]) => (field.type === 'optional' ? [name] : []));
}
