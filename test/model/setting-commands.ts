/** Commands about what is configured for queues, groups and limits. */

import fc, { type Arbitrary } from 'fast-check';
import { type Command, callCommand } from './command.ts';

const queue = fc.constantFrom('a', 'b');
const maybe = <Value>(...values: Value[]): Arbitrary<Value | null> => fc.constantFrom(null, null, ...values);

const pause = queue.map((name) =>
  callCommand(
    `Pause ${name}`,
    () => (broker) => broker.configure('queue', name, { pause: { by: 'ada', reason: null } }),
  ),
);
const resume = queue.map((name) =>
  callCommand(`Resume ${name}`, () => (broker) => broker.configure('queue', name, { pause: null })),
);

const setQueue = fc
  .tuple(queue, fc.record({ max: maybe(1, 2), rate: maybe({ count: 2, perMs: 3_000 }) }, { requiredKeys: [] }))
  .map(([name, settings]) =>
    callCommand(
      `Queue ${name} ${JSON.stringify(settings)}`,
      () => (broker) => broker.configure('queue', name, settings),
    ),
  );
const someoneOrNobody = maybe({ by: 'ada', reason: 'why' });
const setGroup = fc
  .tuple(
    fc.constantFrom('g', 'h'),
    fc.record({ weight: maybe(2, 3, 1_000), pause: someoneOrNobody }, { requiredKeys: [] }),
  )
  .map(([name, settings]) =>
    callCommand(
      `Group ${name} ${JSON.stringify(settings)}`,
      () => (broker) => broker.configure('group', name, settings),
    ),
  );
const list = fc.constant(callCommand('List', () => (broker) => broker.getLimits(null, 10)));

const setLimit = fc
  .tuple(
    fc.constantFrom('one', 'two'),
    fc.record(
      { max: maybe(1, 3), rate: maybe({ count: 1, perMs: 2_000 }, { count: 5, perMs: 100 }), pause: someoneOrNobody },
      { requiredKeys: [] },
    ),
  )
  .map(([name, settings]) =>
    callCommand(
      `Limit ${name} ${JSON.stringify(settings)}`,
      () => (broker) => broker.configure('limit', name, settings),
    ),
  );

export const settingCommands: readonly Arbitrary<Command>[] = [pause, resume, setLimit, setQueue, setGroup, list];
