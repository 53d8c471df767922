/** Checks that a hidden value of the input is in nothing that a handler says, and in everything that it gets. */
import { expect, test } from 'vitest';
import { createWorkerRig, type Handler } from '../../test/support/worker-rig.ts';
import type { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { encodePolicy, policyOf } from '../core/policy.ts';
import { fatal } from '../core/verdicts.ts';

const secret = '4111-2222-3333-4444';
const payload = JSON.stringify({ card: { number: secret }, to: 'ada' });
const policy = encodePolicy(policyOf({ redact: ['input.card.number'], retry: { attempts: 2, delay: '1h' } }));

async function run(handler: Handler, given: { readonly policy?: string; readonly redact?: readonly string[] }) {
  const rig = createWorkerRig({ a: handler }, given.redact === undefined ? {} : { redact: given.redact });
  const told: unknown[] = [];
  for (const name of ['failed', 'retrying', 'stray'] as const) rig.worker.on(name, (event) => told.push(event));
  const [id = ''] = await rig.enqueue({ payload, policy: given.policy ?? '{"attempts":1}' });
  rig.worker.start();
  await rig.clock.advance(2_000);
  const row = (rig.memory as ReturnType<typeof createMemoryBroker>).state.rows.get(id);
  return { row, told };
}

test.each([
  ['by the task', { policy }],
  ['by the worker', { redact: ['input.card.number'] }],
])('what is hidden %s is in no error, log line or progress, and in no event', async (_way, given) => {
  const seen: unknown[] = [];
  const { row, told } = await run((input, context) => {
    seen.push(input);
    context.log.warn(`asked for ${secret}`, { number: secret });
    context.progress(1, 2, `at ${secret}`);
    throw new Error(`refused ${secret}`, { cause: new Error(`bank says ${secret}`) });
  }, given);
  expect(seen).toEqual([JSON.parse(payload)]);
  expect(row?.task).toMatchObject({
    payload,
    error: { message: 'refused [redacted]' },
    progress: { note: 'at [redacted]' },
  });
  expect(row?.logs).toMatchObject([{ message: 'asked for [redacted]', fields: '{"number":"[redacted]"}' }]);
  expect(told).toHaveLength(1);
  expect(JSON.stringify([{ ...row?.task, payload: '' }, row?.attempts, row?.logs, told])).not.toContain(secret);
});

test('nor of one that gives up, nor in what it leaves behind', async () => {
  const { row, told } = await run(
    () => {
      throw fatal(`wrong number ${secret}`);
    },
    { policy },
  );
  expect(row?.task).toMatchObject({ state: 'failed', error: { message: 'wrong number [redacted]' } });
  expect(JSON.stringify(told)).not.toContain(secret);
});

test('where nothing is hidden a handler says what it likes', async () => {
  const { row } = await run(() => {
    throw fatal(`wrong number ${secret}`);
  }, {});
  expect(row?.task.error?.message).toBe(`wrong number ${secret}`);
});
