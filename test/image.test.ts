/** The image and the compose file, as far as they can be proved without an engine that runs them. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { createRedisBroker } from '../src/broker/redis/redis-broker.ts';
import { unknownVariables } from '../src/config/variables.ts';
import { findRedis } from '../src/servers/programs.ts';
import { startRedis } from '../src/servers/redis.ts';
import { declareWithout } from './support/without-server.ts';

interface Service {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');
/** The arguments of the last instruction of this name. */
const last = (instruction: string): string =>
  dockerfile
    .findLast((line) => line.trimStart().startsWith(`${instruction} `))
    ?.trim()
    .slice(instruction.length + 1) ?? '';

/** As compose fills it in where no variable is set. */
const filled = (text = ''): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');

describe('the compose file', () => {
  test('starts what the cluster setup is made of', () => {
    expect(services.map(([name]) => name)).toEqual(['server', 'worker', 'redis', 'postgres']);
  });

  test.each(services)('sets only variables that TaskFlow knows: %s', (_name, service) => {
    expect(unknownVariables(service.environment ?? {})).toEqual([]);
  });

  test.each(['server', 'worker'])('gives the %s its store, and waits for it', (name) => {
    const { environment, depends_on } = compose.services[name]!;
    expect(filled(environment?.TASKFLOW_BROKER)).toBe('redis://:taskflow@redis:6379');
    expect(filled(environment?.TASKFLOW_STORE)).toBe('postgres://taskflow:taskflow@postgres:5432/taskflow');
    expect(depends_on).toEqual({
      redis: { condition: 'service_healthy' },
      postgres: { condition: 'service_healthy' },
    });
  });

  test.each(['server', 'worker'])('runs a command of TaskFlow with options it has: %s', (name) => {
    const [noun = '', verb = '', ...options] = compose.services[name]?.command ?? [];
    const help = execFileSync(process.execPath, ['bin/taskflow.js', noun, verb, '--help'], {
      cwd: root,
      encoding: 'utf8',
    });
    for (const option of options.filter((word) => word.startsWith('--'))) expect(help).toContain(option);
    expect(help).toContain(`Usage: taskflow ${noun} ${verb}`);
  });

  test.each(services)('publishes nothing beyond this machine: %s', (_name, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test.each(services)('says of each service how its health is asked, or why not: %s', (name, { healthcheck }) => {
    // The server's is in the image.
    expect(healthcheck !== undefined || name === 'server').toBe(true);
  });

  test('keeps what the store holds on a volume', () => {
    expect(Object.keys(compose.volumes)).toEqual(['redis', 'postgres']);
    expect(compose.services.redis?.volumes).toEqual(['redis:/data']);
    expect(compose.services.postgres?.volumes).toEqual(['postgres:/var/lib/postgresql/data']);
  });

  test('names versions of the images it takes', () => {
    const images = services.map(([, { image }]) => image).filter((image) => image !== 'taskflow');
    expect(images.every((image) => /:\d+/.test(image ?? ''))).toBe(true);
  });
});

if (findRedis() === null) await declareWithout('redis');
else
  test('the Redis of the compose file is one that a server takes as it is', async () => {
    const [program, ...settings] = (compose.services.redis?.command ?? []).map(filled);
    expect(program).toBe('redis-server');
    const server = await startRedis(settings);
    onTestFinished(() => server.stop());
    const open = async (user: string) => {
      const broker = createRedisBroker({
        address: { url: server.url.replace('//', `//${user}`) },
        namespace: 'compose',
      });
      onTestFinished(() => broker.close());
      await broker.open();
      return await broker.info();
    };
    expect(await open(':taskflow@')).toMatchObject({ durability: 'standard' });
    await expect(open('')).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

describe('the image', () => {
  test('is built from the Node that is asked for, and runs as a user of few rights', () => {
    const { engines } = JSON.parse(read('package.json')) as { readonly engines: { readonly node: string } };
    expect(last('FROM')).toBe(`node:${engines.node.replace('>=', '')}-bookworm-slim`);
    expect(last('USER')).toBe('node');
  });

  test('asks the server for its health', () => {
    expect(last('HEALTHCHECK')).toMatch(/\/health`/);
  });

  test('gets no secrets, no history and nothing that was installed or compiled outside', () => {
    const left = read('.dockerignore').split('\n');
    expect(left).toEqual(
      expect.arrayContaining(['.git', '.env', '.env.local', '.taskflow', '**/node_modules', 'dist']),
    );
  });
});
