/** Tests batches and streams of tasks over HTTP: what is accepted is stored, what is refused is not, and memory stays bounded. */

import { beforeEach, describe, expect, test } from 'vitest';
import { bodyBytesMax } from '../../src/api/body.ts';
import { readLines } from '../../src/api/lines.ts';
import { taskFlowError } from '../../src/core/errors.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import { createQueueNames } from '../../src/operations/queue-names.ts';
import { sampleId } from '../conformance/samples.ts';
import { base, expectProblem, json, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

const good = { name: 'text.stats', input: { path: '.' } };
const wrong = { name: 'text.stats', input: { path: 5 } };

async function stored(): Promise<number> {
  return (await server.store.history.search(parseFilter(''), { after: null, limit: 1_000 })).tasks.length;
}

describe('a batch', () => {
  const post = (body: unknown) => server.post('/api/v1/tasks/batch', body);

  test('is stored in one call, in order', async () => {
    const calls: number[] = [];
    const { enqueue } = server.context.store.broker;
    Object.assign(server.context.store.broker, {
      enqueue: (tasks: Parameters<typeof enqueue>[0]) => {
        calls.push(tasks.length);
        return enqueue(tasks);
      },
    });
    const answer = await json(await post({ tasks: [good, { ...good, id: sampleId(3) }, { name: 'unkown' }] }));
    expect(answer).toMatchObject({ created: 3, notes: [expect.stringContaining('no worker knows "unkown"')] });
    expect((answer.tasks as { id: string }[])[1]?.id).toBe(sampleId(3));
    expect(calls).toEqual([3]);
  });

  test('of which one is wrong is not stored at all, and the error names it', async () => {
    const problem = await expectProblem(await post({ tasks: [good, wrong] }), 400, 'INVALID_INPUT', 'Item 1');
    expect(problem.details).toMatchObject({ index: 1, problems: [{ path: 'path' }] });
    const unknown = await expectProblem(await post({ tasks: [good, { ...good, dealy: 1 }] }), 400, 'INVALID_OPTION');
    expect(unknown.details).toMatchObject({ problems: [{ path: 'tasks[1].dealy' }] });
    expect(await stored()).toBe(0);
  });

  test('may be partial: then each stands for itself', async () => {
    const sent = [good, wrong, { ...good, id: 'nonsense' }, { name: ' ' }, good];
    const answer = await json(await post({ partial: true, tasks: sent }));
    const outcomes = (answer.tasks as { outcome: string; problem: { code: string } | null }[]).map(
      ({ outcome, problem }) => problem?.code ?? outcome,
    );
    expect(outcomes).toEqual(['created', 'INVALID_INPUT', 'INVALID_ID', expect.stringMatching(/^INVALID/), 'created']);
    expect([answer.created, await stored()]).toEqual([2, 2]);
  });

  test('refuses what would make a queue too many alone, where each stands for itself', async () => {
    const getQueues = async () => [{ name: 'default' }] as never;
    const full = { queueNames: createQueueNames({ getQueues }, systemClock, 1) };
    Object.assign(server.context, full);
    const sent = [good, { ...good, queue: 'new' }, good];
    const problem = await expectProblem(await post({ tasks: sent }), 409, 'TOO_MANY_QUEUES', 'Item 1');
    expect([problem.details, await stored()]).toMatchObject([{ index: 1 }, 0]);
    const { tasks } = await json(await post({ partial: true, tasks: sent }));
    expect(tasks).toMatchObject([
      { outcome: 'created' },
      { outcome: 'refused', problem: { code: 'TOO_MANY_QUEUES' } },
      { outcome: 'created' },
    ]);
  });

  test('stores each as a call of its own would, whatever stands beside it', async () => {
    const sent: readonly Readonly<Record<string, unknown>>[] = [
      { name: 'any', input: { a: 1 } },
      { name: 'any', input: [2], priority: 'high', tags: ['x'] },
      { name: 'any' },
      { ...good, key: 'k' },
      { name: 'any', input: null, timeout: null },
      { ...good, input: { path: './a' } },
      { name: 'any', input: { n: 5 }, id: sampleId(7) },
      good,
    ];
    const { tasks } = await json(await post({ tasks: sent }));
    const others: string[] = [];
    for (const { id: _id, ...one } of sent) {
      const answer = await json(await server.post('/api/v1/tasks', 'key' in one ? { ...one, key: 'other' } : one));
      others.push(String(answer.id));
    }
    const bodiesOf = async (ids: readonly string[]) =>
      (await server.store.broker.getTasks(ids)).map((task) => {
        const { id: _id, createdAt: _created, dueAt: _due, key: _key, ...body } = task ?? { id: '' };
        return body;
      });
    const stored = await bodiesOf((tasks as { id: string }[]).map(({ id }) => id));
    expect(stored).toHaveLength(sent.length);
    expect(stored).toEqual(await bodiesOf(others));
  });

  test('sent again with its ids is stored once, and a different task with an id is a conflict', async () => {
    const ids = [
      { ...good, id: sampleId(1) },
      { ...good, id: sampleId(2) },
    ];
    await post({ tasks: ids });
    const again = await json(await post({ tasks: [ids[0], { name: 'other', id: sampleId(2) }] }));
    expect(again).toMatchObject({
      created: 0,
      tasks: [{ outcome: 'existing' }, { outcome: 'conflict', problem: { code: 'ID_CONFLICT' } }],
    });
  });

  test('has bounds', async () => {
    await expectProblem(await post({ tasks: [] }), 400, 'INVALID_OPTION');
    await expectProblem(
      await post({ tasks: Array.from({ length: limits.batchMax + 1 }, () => good) }),
      400,
      'INVALID_OPTION',
    );
    const large = { name: 'any', input: 'x'.repeat(900_000) };
    await expectProblem(await post({ tasks: [large, large, large, large, large] }), 413, 'BATCH_TOO_LARGE');
    expect((await post({ tasks: [large, large, large] })).status).toBe(200);
  });
});

describe('a stream', () => {
  const send = (body: ConstructorParameters<typeof Response>[0], query = '') =>
    server.fetch(
      new Request(`${base}/api/v1/tasks/batch${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
        duplex: 'half',
      } as RequestInit),
    );
  const linesOf = async (response: Response) =>
    (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  test('is answered line by line, wrong ones with what is wrong, and the others go on', async () => {
    const body = [JSON.stringify(good), 'nonsense', '', JSON.stringify(wrong), '{"nmae":"a"}', JSON.stringify(good)];
    const answers = await linesOf(await send(body.join('\r\n')));
    expect(answers.map(({ line, outcome }) => [line, outcome])).toEqual([
      [1, 'created'],
      [2, 'refused'],
      [4, 'refused'],
      [5, 'refused'],
      [6, 'created'],
      [undefined, undefined],
    ]);
    expect(answers[1]?.problem).toMatchObject({ code: 'INVALID_JSON' });
    expect(answers[3]?.problem).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('nmae') });
    expect(answers.at(-1)).toEqual({ end: 'done', lines: 5, created: 2, refused: 3, problem: null });
    expect(await stored()).toBe(2);
  });

  test('of many lines is stored whole, whatever pieces it comes in', async () => {
    const text = Array.from({ length: 700 }, (_, n) => JSON.stringify({ ...good, tags: [`ä${n}`] })).join('\n');
    const bytes = new TextEncoder().encode(text);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 97) }, (_, n) => bytes.slice(n * 97, n * 97 + 97));
    const answers = await linesOf(await send(ReadableStream.from(pieces)));
    expect(answers.at(-1)).toMatchObject({ end: 'done', lines: 700, created: 700, refused: 0 });
    expect(await stored()).toBe(700);
  });

  test('that is quiet tells what was refused, and how much was done', async () => {
    const answers = await linesOf(await send(`${JSON.stringify(good)}\n{}\n`, '?answers=problems'));
    expect(answers).toMatchObject([
      { line: 2, outcome: 'refused' },
      { end: 'done', created: 1 },
    ]);
    await expectProblem(await send('', '?answers=none'), 400, 'INVALID_OPTION');
    await expectProblem(await send('', '?anwsers=all'), 400, 'INVALID_OPTION');
  });

  test('may have marks of a file of text before its lines, empty lines and those of Windows', async () => {
    const line = JSON.stringify(good);
    const text = `\uFEFF${line}\r\n\uFEFF\n \t\r\n\uFEFF${line}\n\n${line}`;
    const told = await linesOf(await send(text));
    expect(told.map(({ line: number, outcome }) => [number, outcome])).toEqual([
      [1, 'created'],
      [4, 'created'],
      [6, 'created'],
      [undefined, undefined],
    ]);
  });

  test('with a line that is too long, or no UTF-8, goes on behind it', async () => {
    const long = `"${'x'.repeat(bodyBytesMax)}"`;
    const broken = Uint8Array.from([0x22, 0xff, 0x22]);
    const body = new Blob([long, '\n', broken, '\n', JSON.stringify(good)]);
    const answers = await linesOf(await send(body));
    expect(answers.map(({ problem }) => (problem as { code: string } | null)?.code)).toEqual([
      'PAYLOAD_TOO_LARGE',
      'INVALID_JSON',
      undefined,
      undefined,
    ]);
    expect(await stored()).toBe(1);
  });

  test('stops at an outage: its lines are answered with ids to send them again by, none is stored', async () => {
    const down = taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
    Object.assign(server.context.store.broker, { enqueue: () => Promise.reject(down) });
    const answers = await linesOf(
      await send(`${JSON.stringify({ ...good, id: sampleId(5) })}\n${JSON.stringify(good)}\n`),
    );
    expect(answers).toMatchObject([
      { line: 1, id: sampleId(5), outcome: 'unknown', problem: { code: 'STORE_UNREACHABLE' } },
      { line: 2, id: expect.stringMatching(/^\w{26}$/), outcome: 'unknown' },
      { end: 'stopped', created: 0, refused: 2, problem: { code: 'STORE_UNREACHABLE' } },
    ]);
  });

  test('whose lines grow when they are read is stored in as many calls as that takes', async () => {
    // A number is stored as JavaScript writes it: 1e20 with 21 digits.
    const line = `{"name":"any","input":[${Array.from({ length: 200 }, () => '1e20').join()}]}`;
    const answers = await linesOf(await send(`${line}\n`.repeat(limits.batchMax)));
    expect(answers.at(-1)).toMatchObject({ end: 'done', lines: 1_000, created: 1_000, problem: null });
    expect(answers.slice(0, -1).map(({ line }) => line)).toEqual(
      Array.from({ length: 1_000 }, (_none, index) => index + 1),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1_001);
  });

  test('is read only as fast as its answers are', async () => {
    let asked = 0;
    const line = new TextEncoder().encode(`${JSON.stringify(good)}\n`);
    const endless = new ReadableStream(
      {
        pull(controller) {
          asked++;
          controller.enqueue(line);
        },
      },
      { highWaterMark: 0 },
    );
    const response = await send(endless);
    const reader = response.body!.getReader();
    await reader.read();
    await server.move(0);
    expect(asked).toBeLessThan(20);
    await reader.cancel();
    const before = asked;
    await server.move(0);
    expect(asked).toBe(before);
  });

  /** A line with each pull, as much time before each as is said. */
  const slowly = (ms: (sent: number) => number) => {
    let sent = 0;
    return new ReadableStream({
      async pull(controller) {
        await server.move(ms(++sent));
        if (sent > 10) controller.close();
        else controller.enqueue(new TextEncoder().encode(`${JSON.stringify(good)}\n`));
      },
    });
  };

  test('takes its time as long as something comes', async () => {
    const answers = await linesOf(await send(slowly(() => limits.streamIdleMs - 1)));
    expect(answers.at(-1)).toMatchObject({ end: 'done', lines: 10, created: 10 });
  });

  test('of which nothing comes is stopped, and what was answered is stored', async () => {
    const end = (await linesOf(await send(slowly((sent) => (sent === 4 ? limits.streamIdleMs : 0))))).at(-1);
    expect(end).toMatchObject({ end: 'stopped', lines: 3, problem: { code: 'STREAM_STALLED' } });
    expect(await stored()).toBe(3);
  });

  test('that goes on for too long is stopped with the line it got to', async () => {
    const pauseMs = limits.streamIdleMs - 1;
    const sends = Math.ceil(limits.streamMs / pauseMs) + 2;
    let sent = 0;
    const slow = new ReadableStream({
      async pull(controller) {
        await server.move(pauseMs);
        if (sent++ > sends) controller.close();
        else controller.enqueue(new TextEncoder().encode(`${JSON.stringify(good)}\n`));
      },
    });
    const end = (await linesOf(await send(slow))).at(-1);
    expect(end).toMatchObject({ end: 'stopped', problem: { code: 'STREAM_TOO_LONG' } });
    expect(await stored()).toBe(end?.lines);
  });

  test('is for those who may enqueue', async () => {
    server = await startServer('viewer');
    await expectProblem(await send(JSON.stringify(good)), 403, 'FORBIDDEN');
  });
});

test('lines are cut alike wherever the pieces end', async () => {
  const text = 'a\n\nbb\nccc\ndddddd\ne';
  for (let size = 1; size <= text.length; size++) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, n) =>
      new TextEncoder().encode(text.slice(n * size, n * size + size)),
    );
    const lines: [number, string][] = [];
    const bounds = { lineBytesMax: 5, linesMax: 2, idleMs: 1_000 };
    for await (const batch of readLines(
      ReadableStream.from(pieces) as ReadableStream<Uint8Array>,
      bounds,
      systemClock,
    )) {
      expect(batch.length).toBeLessThanOrEqual(2);
      for (const { number, text: line } of batch) lines.push([number, typeof line === 'string' ? line : line.code]);
    }
    expect(lines).toEqual([
      [1, 'a'],
      [3, 'bb'],
      [4, 'ccc'],
      [5, 'PAYLOAD_TOO_LARGE'],
      [6, 'e'],
    ]);
  }
});

test('lines that are there go together, of so many pieces at most, and wait for no others', async () => {
  let [given, arrive] = [0, (): void => {}];
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (given === 10) await new Promise<void>((resolve) => (arrive = resolve));
      if (given++ === 12) controller.close();
      else controller.enqueue(new TextEncoder().encode('a\nb\n'));
    },
  });
  const sizes: number[] = [];
  const bounds = { lineBytesMax: 100, linesMax: 100, idleMs: 1_000 };
  for await (const batch of readLines(body, bounds, systemClock)) {
    sizes.push(batch.length);
    if (sizes.length === 2) arrive();
  }
  expect(sizes).toEqual([2 * limits.streamPiecesMax, 4, 4]);
});
