// Tasks are stored many at a time, and each row is what it would be by itself.

import { expect, test } from 'vitest';
import { sampleError, sampleId, startAt, storedTask } from '../../../test/conformance/samples.ts';
import type { ManyStatement, SqlRow, SqlTransaction, SqlValue } from '../../broker/sql/driver.ts';
import { wholeColumns } from '../../broker/sql/whole-row.ts';
import type { Task } from '../../core/task.ts';
import { addFresh, createFreshRows, insertFresh, recordedRow } from './fresh-rows.ts';

/** How many statements store these, and the rows that they store, by id. */
function store(tasks: readonly Task[]) {
  const fresh = createFreshRows();
  for (const task of tasks) addFresh(fresh, task);
  const rows = new Map<SqlValue, SqlRow>();
  const many = async ({ shared, own }: ManyStatement, common: SqlRow, given: readonly SqlRow[]) => {
    for (const row of given) {
      const values = new Map<string, SqlValue>();
      for (const [index, name] of Object.keys(shared).entries()) values.set(name, common[index] ?? null);
      for (const [index, name] of Object.keys(own).entries()) values.set(name, row[index] ?? null);
      rows.set(
        values.get('id') ?? null,
        Object.keys(wholeColumns).map((name) => values.get(name) ?? null),
      );
    }
    return { count: given.length, told: null };
  };
  const { length } = insertFresh({ many } as unknown as SqlTransaction, fresh);
  return { length, rows };
}

const many = Array.from({ length: 20 }, (_each, index) => sampleId(index + 1));
const base: Partial<Task> = { dependsOn: [], state: 'queued' };

/** A value of each field that is none of most tasks. */
const others: Partial<Task> = {
  name: 'other',
  queue: 'other',
  payload: '"other"',
  schemaVersion: '2',
  priority: 1,
  timeoutMs: 77,
  policy: '{"other":1}',
  keepMs: 77,
  strictCancel: true,
  group: 'other',
  limits: [{ name: 'other', max: 1, rate: null }],
  key: 'other',
  keyForMs: 77,
  flowId: sampleId(99),
  tags: ['other'],
  traceparent: 'other',
  firedBy: { schedule: 'other', at: 77, input: 'made' },
  state: 'running',
  reason: 'error',
  version: 77,
  epoch: 77,
  attempt: 77,
  generation: 77,
  crashes: 77,
  interruptions: 77,
  snoozes: 77,
  workerId: 'other',
  leaseUntil: 77,
  cancelRequestedAt: 77,
  cancelReason: 'other',
  progress: 'half' as unknown as NonNullable<Task['progress']>,
  checkpoints: [{ name: 'other', value: '1' }],
  result: '"other"',
  error: sampleError,
  createdAt: startAt + 77,
  dueAt: startAt + 77,
  startBy: 77,
  expiresAt: 77,
  claimedAt: 77,
  startedAt: 77,
  finishedAt: 77,
  pruneAt: 77,
};

test.each(Object.keys(others))('a task with another %s has its own row among others', (field) => {
  const tasks = many.map((id, index) => {
    const isOther = index % 3 === 0;
    return storedTask(id, { ...base, ...(isOther && { [field]: others[field as keyof Task] }) });
  });
  const { rows } = store(tasks);
  expect(tasks.map(({ id }) => rows.get(id))).toEqual(tasks.map(recordedRow));
});

test('alike tasks are one statement, and so are all that are like few', () => {
  const alike = many.map((id) => storedTask(id, base));
  const few = [21, 22, 23].map((number) => storedTask(sampleId(number), { ...base, priority: number - 20 }));
  expect(store(alike).length).toBe(1);
  expect(store([...alike, ...few]).length).toBe(2);
});

test('what no row can be made of throws, and is not among the others', () => {
  const fresh = createFreshRows();
  expect(() => addFresh(fresh, { id: sampleId(1), state: 'failed' } as unknown as Task)).toThrow();
  expect(fresh).toEqual(createFreshRows());
});
