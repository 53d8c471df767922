/** A client under torture, as a process of its own: enqueues in its shape, repeats what was not answered, notes all of it. */

import process from 'node:process';
import { createInterface } from 'node:readline';
import { connect } from '../broker/connect.ts';
import { type Client, makeClient } from '../client/client.ts';
import { seededChance, systemChance } from '../core/chance.ts';
import { definitionBrand } from '../core/definition.ts';
import { TaskFlowError } from '../core/errors.ts';
import { createIds } from '../core/ids.ts';
import { sleep, systemClock } from '../core/time.ts';
import type { Address } from './ground.ts';
import { type ClientNote, machineMs, openNotes } from './notes.ts';
import { numbersEach } from './numbers.ts';
import type { Shape } from './plan.ts';
import { type Call, drawFamily, drawRequest, type Family } from './requests.ts';
import { tasks } from './tasks/work.ts';

export interface LoadSettings extends Address {
  readonly folder: string;
  readonly number: number;
  /** Over HTTP to this server; in the store without it. */
  readonly url: string | null;
  readonly shape: Shape;
  /** Tasks a second, in the mean. */
  readonly rate: number;
  readonly seed: number;
  readonly leaseMs: number;
}

const tickMs = 50;
/** What was not asked for while everybody was away is made up for: so much of it, and at so many times the rate at most. */
const owedSeconds = 20;
const fastest = 5;
/** Families of tasks for each other task. */
const familyShare = 0.01;
const callsMax = 24;
/** A client that was not answered for so long gives up; finished tasks are kept for longer. */
const patienceMs = 15_000;
const repeatMs = 100;

/** How much of the mean rate there is at a time. */
export function shareOf(shape: Shape, ms: number): number {
  const phase = (ms % 10_000) / 10_000;
  if (shape === 'burst') return phase < 0.25 ? 4 : 0;
  if (shape === 'sawtooth') return 2 * phase;
  return 1;
}

type Write = (notes: readonly ClientNote[]) => void;

/** Sends one batch. Answers for each call whether it made a task. */
type Send = (calls: readonly Call[]) => Promise<readonly boolean[]>;

async function main(settings: LoadSettings): Promise<void> {
  const { rate, shape, url } = settings;
  const chance = seededChance(settings.seed + settings.number);
  const ids = createIds(systemClock, systemChance);
  const write = openNotes(settings.folder, 'client', settings.number);
  const store = connect(settings.broker, {
    store: settings.record,
    ...(settings.namespace === null ? {} : { namespace: settings.namespace }),
  });
  const client = makeClient({ open: () => store.broker.open().then(() => store) });
  const send = url === null ? sendTo(client) : sendOver(url);
  const inFlight = new Set<Promise<unknown>>();
  let [isHeld, isOver] = [false, false];
  process.once('SIGTERM', () => {
    isOver = true;
  });
  const words = createInterface({ input: process.stdin });
  words.on('line', (line) => {
    isHeld = line === 'hold';
  });
  words.on('close', () => process.exit(0));
  let n = settings.number * numbersEach;
  let owed = 0;
  for (let last = systemClock.elapsed(); !isOver; ) {
    await sleep(systemClock, tickMs);
    const now = systemClock.elapsed();
    owed = Math.min(owed + (rate * shareOf(shape, now) * (now - last)) / 1_000, owedSeconds * rate);
    last = now;
    const drawn: Call[] = [];
    const most = isHeld ? 0 : (fastest * rate * tickMs) / 1_000;
    for (; owed >= 1 && drawn.length < most; owed -= 1)
      drawn.push({ ...drawRequest(chance, n++, { ...settings, isRemote: url !== null }), id: ids.next() });
    const start = async (work: () => Promise<unknown>): Promise<void> => {
      while (inFlight.size >= callsMax) await Promise.race(inFlight);
      const call: Promise<unknown> = work().finally(() => inFlight.delete(call));
      inFlight.add(call);
    };
    for (const batch of batchesOf(drawn, url !== null)) await start(() => insist(batch, send, write));
    if (url === null && chance.float() < drawn.length * familyShare)
      await start(() =>
        enqueueFamily(
          drawFamily(chance, () => [ids.next(), n++]),
          send,
          write,
        ),
      );
  }
  await Promise.all(inFlight);
  await client.close();
  process.exit(0);
}

/** Alike tasks in one call; what may be refused, and what goes over HTTP, by itself. */
function batchesOf(calls: readonly Call[], isSingle: boolean): readonly (readonly Call[])[] {
  const isAlone = ({ options, kind }: Call): boolean => isSingle || kind === 'keyed' || options.key !== undefined;
  const alike = Map.groupBy(
    calls.filter((call) => !isAlone(call)),
    ({ kind }) => kind,
  );
  return [...alike.values(), ...calls.filter(isAlone).map((call) => [call])];
}

/** Sends until there is an answer, under the same ids: however often, each of them is stored once. */
async function insist(calls: readonly Call[], send: Send, write: Write): Promise<boolean> {
  const since = systemClock.elapsed();
  do {
    const at = machineMs();
    write(calls.map(({ id, kind, input, asked }) => [at, 'invoke', id, input.n, tasks[kind].name, asked]));
    try {
      const made = await send(calls);
      write(calls.map(({ id, input }, index) => [machineMs(), made[index] === true ? 'ok' : 'fail', id, input.n]));
      return true;
    } catch (error) {
      const code = error instanceof TaskFlowError ? error.code : String(error).slice(0, 80);
      write(calls.map(({ id, input }) => [machineMs(), 'info', id, input.n, code]));
      await sleep(systemClock, repeatMs);
    }
  } while (systemClock.elapsed() - since < patienceMs);
  return false;
}

/** Parents first: a child may only wait for what is there. */
async function enqueueFamily({ parents, child }: Family, send: Send, write: Write): Promise<void> {
  if (await insist(parents, send, write)) await insist([child], send, write);
}

function sendTo(client: Client): Send {
  return async (calls) => {
    const [first] = calls;
    if (first === undefined) return [];
    const definition = tasks[first.kind][definitionBrand];
    if (calls.length === 1) {
      const { id } = await client.enqueue(definition, first.input, { ...first.options, id: first.id });
      return [id === first.id];
    }
    const handles = await client.enqueueMany(
      definition,
      calls.map(({ id, input, options }) => ({ input, options: { ...options, id } })),
    );
    return handles.map(({ id }, index) => id === calls[index]?.id);
  };
}

function sendOver(url: string): Send {
  return async (calls) => {
    const made: boolean[] = [];
    for (const { id, kind, input, options } of calls) {
      const response = await fetch(`${url}/api/v1/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        // A server that knows no worker yet would take its own defaults.
        body: JSON.stringify({ ...options, name: tasks[kind].name, id, input, retry: remoteRetry }),
        signal: AbortSignal.timeout(patienceMs),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 200)}`);
      made.push((JSON.parse(text) as { readonly id: string }).id === id);
    }
    return made;
  };
}

const remoteRetry = { attempts: 4, delay: 200, max: '2s' };

const given = process.argv[2];
if (given !== undefined && import.meta.filename === process.argv[1]) await main(JSON.parse(given) as LoadSettings);
