/** Reads settings from the environment and from `.env` files; notices variables nobody knows. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { nearest } from '../core/nearest.ts';
import type { Given, Mistake } from './origin.ts';
import { settingKeys, variablesOf } from './settings.ts';

const prefix = 'TASKFLOW_';

/** Whom commands and workers ask, and with which key: of a program, not of what it starts, so they are no settings. */
export const serverVariables = {
  TASKFLOW_SERVER: {
    description: 'Server that commands and workers ask, in the place of a broker and a store',
    example: 'https://tasks.example.com',
  },
  TASKFLOW_TOKEN: { description: 'Key of that server', example: 'tf_user_…' },
  TASKFLOW_TOKEN_FILE: { description: 'File with the key, in the place of the key', example: '/run/secrets/taskflow' },
} as const;

/** Variables of TaskFlow that are no settings. */
const otherVariables = new Set(['TASKFLOW_CONFIG', 'TASKFLOW_NODE', ...Object.keys(serverVariables)]);

/** What Kubernetes adds for a service named "taskflow": TASKFLOW_SERVICE_HOST, TASKFLOW_PORT_8000_TCP_ADDR and more. */
const ofKubernetes = /^TASKFLOW_(?:\w+_)?(?:SERVICE_(?:HOST|PORT)(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/;
const addressOfKubernetes = /^(?:tcp|udp|sctp):\/\//;

/** The files looked for in the project's folder; the first that sets a variable wins. */
export const dotenvNames = ['.env.local', '.env'] as const;

export type Variables = Readonly<Record<string, string | undefined>>;

/** Settings among the variables, without empty ones. With `file`, they stand in that file of `folder`. */
export function givenByVariables(variables: Variables, folder: string, file: string | null = null): Given[] {
  const given: Given[] = [];
  for (const key of settingKeys) {
    for (const name of variablesOf(key)) {
      const value = variables[name];
      if (value === undefined || value.trim() === '' || isOfKubernetes(name, value)) continue;
      given.push({ key, value, folder, origin: { kind: file === null ? 'variable' : 'dotenv', name, file } });
    }
  }
  return given;
}

/** One mistake for each `TASKFLOW_…` variable that sets nothing. */
export function unknownVariables(variables: Variables, file: string | null = null): Mistake[] {
  const known = settingKeys.flatMap(variablesOf);
  // Without the common beginning, which would make everything look alike.
  const ends = known.map((name) => name.slice(prefix.length));
  return Object.entries(variables)
    .filter(
      ([name, value]) =>
        name.startsWith(prefix) &&
        !known.includes(name) &&
        !otherVariables.has(name) &&
        !isOfKubernetes(name, value ?? ''),
    )
    .map(([name]) => {
      const near = nearest(name.slice(prefix.length), ends);
      const suggestion = near === null ? '' : ` Did you mean ${prefix}${near}?`;
      return {
        where: file === null ? name : `${file}: ${name}`,
        problem: `is not a variable of TaskFlow.${suggestion}`,
      };
    });
}

/** The `.env` files that exist in the folder, read. */
export function readDotenvFiles(folder: string): { readonly file: string; readonly variables: Variables }[] {
  return dotenvNames
    .filter((name) => existsSync(join(folder, name)))
    .map((name) => ({ file: name, variables: parseEnv(readFileSync(join(folder, name), 'utf8')) }));
}

/**
 * `REDIS_URL` and `DATABASE_URL`, as hosts set them: the broker is the first of them, and a database beside Redis is
 * the record. A `DATABASE_URL` of another product (mysql://, file:) is not ours.
 */
export function givenByFallbacks(variables: Variables, folder: string, file: string | null = null): Given[] {
  const origin = (name: string) => ({ kind: 'fallback', name, file }) as const;
  const redis = variables.REDIS_URL;
  const database = variables.DATABASE_URL;
  const given: Given[] = [];
  if (redis !== undefined && /^rediss?:/.test(redis))
    given.push({ key: 'broker', value: redis, folder, origin: origin('REDIS_URL') });
  if (database !== undefined && /^postgres(?:ql)?:|^sqlite:/.test(database)) {
    given.push({ key: given.length > 0 ? 'store' : 'broker', value: database, folder, origin: origin('DATABASE_URL') });
  }
  return given;
}

function isOfKubernetes(name: string, value: string): boolean {
  return ofKubernetes.test(name) || (name.endsWith('_PORT') && addressOfKubernetes.test(value));
}
