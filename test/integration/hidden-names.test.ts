/** Tests that no name is made of what nobody may see. */

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { task } from '../../src/client/define.ts';
import { definitionOf } from '../../src/core/definition.ts';
import { perform } from '../../src/operations/operation.ts';
import { operations } from '../../src/operations/registry.ts';
import { runOptionsOf } from '../../src/worker/options.ts';
import { createOperationWorld } from '../support/operation-world.ts';

const input = z.object({ userId: z.string(), card: z.object({ number: z.string(), month: z.number() }) });
const run = async () => undefined;
const refused = (what: string) => ({
  code: 'INVALID_OPTION',
  message: expect.stringContaining(`Task shop.charge: ${what} is not valid: {card.number} is hidden by redact`),
});

describe('a task with hidden paths of its own', () => {
  const redact = ['input.card.number'];

  test.each([
    ['key', { key: 'card:{card.number}' }],
    ['group', { group: '{userId}:{card.number}' }],
    ['limits', { concurrency: { limit: 1, key: '{card.number}' } }],
    ['limits', { rateLimit: { limit: 1, per: '1m', key: '{card.number}' } }],
  ] as const)('is refused where its %s would show one', (what, options) => {
    const define = () => task('shop.charge', { input, run, redact, ...(options as object) });
    expect(define).toThrow(expect.objectContaining(refused(what)));
  });

  test.each([['input.card'], ['**.number'], ['input'], ['*.card'], ['input.ca*']])('%s hides it too', (path) => {
    const define = () => task('shop.charge', { input, run, redact: [path], key: 'card:{card.number}' });
    expect(define).toThrow(expect.objectContaining(refused('key')));
  });

  test('may have names of all that is shown', () => {
    const options = {
      input,
      run,
      redact: [...redact, 'result.card.month'],
      key: '{card.month}',
      group: '{userId}',
    } as const;
    expect(task('shop.charge', options)).toBeDefined();
  });
});

test('a worker does not start with a task whose names would show what its project hides', () => {
  const charge = definitionOf(task('shop.charge', { input, run, key: 'card:{card.number}' }));
  const start = (redact: readonly string[]) => runOptionsOf({ definitions: [charge], redact } as never);
  expect(() => start(['~.number'])).toThrow(expect.objectContaining(refused('key')));
  expect(start(['input.card.month']).definitions.size).toBe(1);
});

test.each([
  ['the server', ['input.card.*'], {}],
  ['the task', [], { policy: { redact: ['input.card.number'] } }],
])('nor does a worker over HTTP publish one, by the paths of %s', async (_whose, redact, given) => {
  const world = await createOperationWorld({ redact });
  const definitions = [
    { name: 'py.mail', group: '{to}' },
    { name: 'py.charge', group: '{card.number}', ...given },
  ];
  const message = expect.stringContaining('definitions[1].group is not valid: {card.number} is hidden by redact');
  const register = perform(operations['worker.register'], world.context, { worker: { id: 'py-1' }, definitions });
  await expect(register).rejects.toMatchObject({ code: 'INVALID_OPTION', message });
  expect(await world.context.store.broker.getWorkers()).toEqual(
    expect.not.arrayContaining([
      expect.objectContaining({
        definitions: expect.arrayContaining([expect.objectContaining({ name: 'py.charge' })]),
      }),
    ]),
  );
  await world.close();
});
