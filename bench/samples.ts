/** Tasks, claims and settlements as the benches of the seam send them. */

import type { Broker, ClaimRequest } from '../src/broker/broker.ts';
import { createToken, systemChance } from '../src/core/chance.ts';
import { createIds } from '../src/core/ids.ts';
import { limits } from '../src/core/limits.ts';
import { defaultPolicy, encodePolicy } from '../src/core/policy.ts';
import type { ClaimedTask, NewTask, Settlement } from '../src/core/task.ts';
import { systemClock } from '../src/core/time.ts';

/** 130 bytes of JSON. */
export const input = { to: 'a@b.c', n: 1, s: 'x'.repeat(100) };
const payload = JSON.stringify(input);
const policy = encodePolicy(defaultPolicy);
const ids = createIds(systemClock, systemChance);

/** A plain task, but for what is given. */
export function benchTask(given: Partial<NewTask> = {}): NewTask {
  return {
    id: ids.next(),
    name: 'noop',
    queue: 'default',
    payload,
    policy,
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: limits.timeoutMs,
    keepMs: defaultPolicy.keepFailedMs,
    strictCancel: false,
    group: null,
    limits: [],
    key: null,
    keyForMs: null,
    ifExists: 'return',
    dependsOn: [],
    blocks: [],
    flowId: null,
    tags: [],
    traceparent: null,
    firedBy: null,
    ...given,
  };
}

/** A claim under a new token. */
export function benchClaim(limit: number): ClaimRequest {
  return {
    workerId: '01K8Q2M4ZJWORKER0000000000',
    token: createToken(systemChance),
    queues: [{ name: 'default', limit }],
    limit,
    leaseMs: limits.leaseMs,
  };
}

/** What a handler that returns `{ ok: true }` leads to. */
export function succeed({ lease }: ClaimedTask): Settlement {
  return {
    lease,
    ranMs: 0,
    progress: null,
    logs: [],
    spawn: [],
    verdict: {
      to: 'succeeded',
      reason: null,
      charge: 'attempt',
      keepMs: defaultPolicy.keepSucceededMs,
      result: '{"ok":true}',
      error: null,
    },
  };
}

/** Lets go of the events of an outbox, as a recorder does once it has stored them. */
export async function trimAll({ outbox }: Broker): Promise<void> {
  for (let seq = 0; ; ) {
    const events = (await outbox?.read(seq, 1_000, 0)) ?? [];
    seq = events.at(-1)?.seq ?? 0;
    if (seq === 0) return;
    await outbox?.trim(seq);
  }
}
