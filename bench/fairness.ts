/**
 * How fairly groups are served: over SQLite in memory and a clock moved by hand, so that what is measured is the order of
 * claims and nothing of the machine.
 */

import { createSqliteBroker } from '../src/broker/sqlite/store.ts';
import { systemChance } from '../src/core/chance.ts';
import { limits } from '../src/core/limits.ts';
import { type Clock, systemClock } from '../src/core/time.ts';
import { benchClaim, benchTask, succeed } from './samples.ts';

/** Prints Jain's index for unequal loads, the shares by weight, and how long a noisy group makes the others wait. */
export async function run(): Promise<void> {
  console.log(`Jain's index over 100 groups of unequal load: ${(await jainOfUnequalLoads()).toFixed(4)} (wanted 0.95)`);
  console.log(`Shares of groups of weight 1, 2, 4 and 8: ${(await sharesByWeight()).join(', ')}`);
  const quiet = await sojournOfQuietGroups(0);
  const noisy = await sojournOfQuietGroups(20_000);
  const delay = ((noisy - quiet) / quiet) * 100;
  console.log(
    `From enqueue to end, mean of 20 quiet groups: ${quiet.toFixed(1)} ms alone, ${noisy.toFixed(1)} ms beside a group with a backlog of 20,000: ${delay.toFixed(1)} % (wanted under 10 %)`,
  );
}

interface Bench {
  readonly broker: ReturnType<typeof createSqliteBroker>;
  /** Lets time pass. */
  pass(ms: number): void;
}

async function open(): Promise<Bench> {
  let now = 1_750_000_000_000;
  const clock: Clock = { ...systemClock, now: () => now };
  const broker = createSqliteBroker({ file: ':memory:', clock, now: () => now, chance: systemChance });
  await broker.open();
  return {
    broker,
    pass: (ms) => {
      now += ms;
    },
  };
}

async function enqueue({ broker }: Bench, group: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= limits.batchMax)
    await broker.enqueue(Array.from({ length: Math.min(left, limits.batchMax) }, () => benchTask({ group })));
}

/** Group n has n times 100 tasks waiting; the first 9,000 claims of 10, while all of them wait. */
async function jainOfUnequalLoads(): Promise<number> {
  const bench = await open();
  for (let group = 1; group <= 100; group += 1) await enqueue(bench, `g${group}`, group * 100);
  const served = await serve(bench, 9_000, 10);
  const counts = Array.from({ length: 100 }, (_, group) => served.get(`g${group + 1}`) ?? 0);
  await bench.broker.close();
  const sum = counts.reduce((total, count) => total + count, 0);
  return sum ** 2 / (counts.length * counts.reduce((total, count) => total + count ** 2, 0));
}

async function sharesByWeight(): Promise<readonly string[]> {
  const bench = await open();
  const weights = [1, 2, 4, 8];
  for (const weight of weights) {
    await bench.broker.configure('group', `w${weight}`, { weight });
    await enqueue(bench, `w${weight}`, 4_000);
  }
  const served = await serve(bench, 3_000, 7);
  await bench.broker.close();
  return weights.map((weight) => `${(((served.get(`w${weight}`) ?? 0) / 3_000) * 100).toFixed(1)} %`);
}

/** Claims and settles so many tasks; how many each group got. */
async function serve({ broker, pass }: Bench, count: number, batch: number): Promise<Map<string | null, number>> {
  const served = new Map<string | null, number>();
  for (let left = count; left > 0; ) {
    const claimed = await broker.claim(benchClaim(Math.min(batch, left)));
    if (claimed.length === 0) throw new Error('there is nothing left to claim');
    for (const { task } of claimed) served.set(task.group, (served.get(task.group) ?? 0) + 1);
    await broker.settle(claimed.map(succeed));
    left -= claimed.length;
    pass(1);
  }
  return served;
}

const slots = 100;
const runMs = 50;
const quietGroups = 20;

/** 20 groups that each enqueue a task every 20 ms: half of what 100 slots of 50 ms can do. In ms, enqueue to end. */
async function sojournOfQuietGroups(noise: number): Promise<number> {
  const bench = await open();
  if (noise > 0) await enqueue(bench, 'noisy', noise);
  const running: {
    readonly endsAt: number;
    readonly claimed: Awaited<ReturnType<Bench['broker']['claim']>>[number];
  }[] = [];
  const sojourns: number[] = [];
  for (let at = 0; at < 2_000; at += 1) {
    // All slots do not end at once: they began one after the other.
    const ended = running.filter(({ endsAt }) => endsAt <= at);
    for (const each of ended) {
      running.splice(running.indexOf(each), 1);
      const { task } = each.claimed;
      if (task.group !== 'noisy' && at > 200) sojourns.push(at - (task.dueAt - 1_750_000_000_000));
    }
    if (ended.length > 0) await bench.broker.settle(ended.map(({ claimed }) => succeed(claimed)));
    const arriving = Array.from({ length: quietGroups }, (_, group) => group).filter((group) => at % 20 === group % 20);
    for (const group of arriving) await bench.broker.enqueue([benchTask({ group: `q${group}` })]);
    const free = Math.min(slots - running.length, at < runMs ? slots / runMs : slots);
    for (const claimed of free > 0 ? await bench.broker.claim(benchClaim(free)) : [])
      running.push({ endsAt: at + runMs, claimed });
    bench.pass(1);
  }
  await bench.broker.close();
  return sojourns.reduce((total, each) => total + each, 0) / sojourns.length;
}
