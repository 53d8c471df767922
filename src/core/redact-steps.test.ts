/** Tests that where keys lead is remembered, up to a bound and without what the keys were read from. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { limits } from './limits.ts';
import { encodePolicy, policyOf } from './policy.ts';
import { createRedactions } from './redact.ts';
import { reachOf, readRedactPaths } from './redact-paths.ts';
import { createSteps } from './redact-steps.ts';

test('what comes after so many keys that all of them are forgotten is remembered again', () => {
  const step = createSteps();
  const reach = reachOf(readRedactPaths(['input.*.token']), 'input');
  for (let key = 0; key < limits.redactStepsMax + 10; key++) step(reach, `key ${key}`);
  expect(step(reach, 'late')).toBe(step(reach, 'late'));
});

test('so are the paths of the tasks that come after many others', () => {
  const of = createRedactions([]);
  const policy = (name: string) => encodePolicy(policyOf({ redact: [`input.${name}`] }));
  for (let each = 0; each < limits.redactPoliciesMax + 10; each++) of(policy(`key${each}`));
  expect(of(policy('late'))).toBe(of(policy('late')));
});

test('a payload is forgotten though its keys are remembered', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const redaction = createRedactions(readRedactPaths(['input.*.token']))('{}');
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let each = 0; each < 64; each++)
    redaction?.json('input', `{"a key of the payload ${each}":"${String(each).repeat(1_000_000)}"}`);
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
});
