/** Tests that waits are counted by requests and by tasks, and that no caller takes the places of the others. */
import { expect, test } from 'vitest';
import { createResultPlaces } from './result-places.ts';

const most = { resultAsksMax: 5, resultAsksPerCallerMax: 2, resultTasksMax: 300, resultTasksPerCallerMax: 150 };
const caller = (keyId: string) => ({ actor: { name: 'shop', role: 'viewer', keyId } }) as const;

test('a caller has so many requests, and others have theirs all the same', () => {
  const places = createResultPlaces(most);
  const [first] = [places.take(caller('a'), 1), places.take(caller('a'), 1)];
  expect(() => places.take(caller('a'), 1)).toThrow(expect.objectContaining({ code: 'TOO_MANY_WAITS' }));
  for (const key of ['b', 'b', 'c']) places.take(caller(key), 1);
  expect(() => places.take(caller('c'), 1)).toThrow(expect.objectContaining({ code: 'WAITS_FULL' }));
  first?.();
  // Once.
  first?.();
  places.take(caller('c'), 1);
  expect(() => places.take(caller('d'), 1)).toThrow(expect.objectContaining({ code: 'WAITS_FULL' }));
});

test('a request for many tasks counts as one request, and as so many tasks', () => {
  const places = createResultPlaces(most);
  places.take(caller('a'), 100);
  expect(() => places.take(caller('a'), 100)).toThrow('150 tasks');
  places.take(caller('a'), 50);
  places.take(caller('b'), 150);
  expect(() => places.take(caller('c'), 1)).toThrow('300 tasks');
});
