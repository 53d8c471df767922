/** The tasks that simulated producers ask for: every option that exists, in every mixture. */

import type { Chance } from '../../src/core/chance.ts';
import { defaultPolicy, encodePolicy } from '../../src/core/policy.ts';
import type { IfExists, LimitRule, NewTask } from '../../src/core/task.ts';
import { newTask } from '../support/worker-rig.ts';
import { type Behaviour, type SimPayload, taskNames } from './handlers.ts';
import { between, pick, type Swarm, whole } from './swarm.ts';

export const queueNames = ['default', 'email'] as const;
const keys = ['k1', 'k2', 'k3'] as const;
export const groupNames = ['ada', 'bob'] as const;
export const limitNames = ['door', 'wide door', 'clock'] as const;
const ifExists: readonly IfExists[] = ['return', 'error', 'replace', 'debounce'];
const polite = ['ok', 'ok', 'ok', 'throw', 'fatal', 'snooze', 'progress', 'grumble', 'steps', 'steps'] as const;
const rude = ['hang', 'ignore', 'block', 'exit', ...polite] as const;

/** One request. `n` marks it: no two requests of a world share it. `nowMs` is the store's time as far as anybody knows it. */
export function drawRequest(chance: Chance, swarm: Swarm, id: string, n: number, nowMs: number): NewTask {
  const sometimes = <Value>(share: number, value: () => Value): Value | null =>
    chance.float() < share ? value() : null;
  const drawn = Array.from({ length: whole(chance, 1, 4) }, () => drawRun(chance, swarm));
  // Who has steps has them in every run: that is what steps are for.
  const [first] = drawn;
  const runs =
    first?.does === 'steps' ? [...drawn, first, first].map((run) => (run.does === 'exit' ? run : first)) : drawn;
  const endless = runs.some(({ does }) => does === 'hang' || does === 'ignore');
  const key = sometimes(0.3, () => pick(chance, keys));
  const keyIfExists = pick(chance, ifExists);
  const keeps = key !== null && (keyIfExists === 'return' || keyIfExists === 'error');
  const at = sometimes(0.05, () => Math.round(nowMs + between(chance, -5_000, 20_000)));
  const payload: SimPayload = { n, runs };
  return newTask({
    id,
    name: chance.float() < 0.85 ? taskNames[0] : pick(chance, taskNames),
    queue: pick(chance, queueNames),
    payload: JSON.stringify(payload),
    priority: whole(chance, 0, 9),
    delayMs: at === null ? (sometimes(0.3, () => whole(chance, 1, 20_000)) ?? 0) : 0,
    at,
    startWithinMs: sometimes(0.1, () => whole(chance, 1_000, 30_000)),
    expiresInMs: sometimes(0.15, () => whole(chance, 5_000, 90_000)),
    timeoutMs: endless || chance.float() < 0.3 ? whole(chance, 200, 15_000) : null,
    policy: encodePolicy({
      ...defaultPolicy,
      attempts: whole(chance, 1, 5),
      delayMs: pick(chance, [0, 100, 1_000, 5_000]),
      backoff: pick(chance, ['fixed', 'exponential']),
      jitter: pick(chance, ['none', 'equal', 'full']),
      maxMs: 20_000,
      keepSucceededMs: pick(chance, [240_000, defaultPolicy.keepSucceededMs]),
    }),
    keepMs: 300_000,
    strictCancel: chance.float() < swarm.strict,
    group: sometimes(0.3, () => pick(chance, groupNames)),
    limits: drawLimits(chance),
    key,
    keyForMs: keeps ? sometimes(0.4, () => whole(chance, 1_000, 30_000)) : null,
    ifExists: key === null ? 'return' : keyIfExists,
  });
}

/** A maximum may differ from task to task; all tasks say the same rate, as those of one definition do. */
export function drawLimits(chance: Chance): readonly LimitRule[] {
  const rules: readonly LimitRule[] = [
    { name: limitNames[0], max: 1, rate: null },
    { name: limitNames[1], max: whole(chance, 1, 3), rate: null },
    { name: limitNames[2], max: null, rate: { count: 2, perMs: 1_500 } },
  ];
  return chance.float() < 0.6 ? [] : rules.filter(() => chance.float() < 0.5);
}

function drawRun(chance: Chance, swarm: Swarm): Behaviour {
  const does = pick(chance, swarm.rude ? rude : polite);
  const long = chance.float() < 0.25 ? 3 * swarm.leaseMs : 2_000;
  return { does, ms: whole(chance, 0, does === 'block' ? 2 * swarm.leaseMs : long) };
}
