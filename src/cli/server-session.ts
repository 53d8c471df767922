/** The operations through a running server: commands ask over HTTP for what they ask the store for otherwise. */

import { resolve } from 'node:path';
import { type Connection, callOperation, waitOf, withIds } from '../api/api-call.ts';
import { readServerToken, readServerUrl } from '../broker/http/calls.ts';
import { systemChance } from '../core/chance.ts';
import type { ErrorCode } from '../core/error-table.ts';
import { retold, TaskFlowError } from '../core/errors.ts';
import { createIds } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { readStoredJson } from '../core/stored-json.ts';
import { systemClock } from '../core/time.ts';
import type { Operation } from '../operations/operation.ts';
import type { Call } from './command.ts';
import { checkAnswer, type Heard, misfitOf } from './server-answer.ts';
import type { Session } from './session.ts';

/** Runs `work` with the server at `text`; what it still asks for when that has ended is given up. */
export async function withServer<Answer>(
  call: Call,
  text: string,
  work: (session: Session) => Promise<Answer>,
): Promise<Answer> {
  const ending = new AbortController();
  const heard: Heard[] = [];
  try {
    return await work(createServerSession(call, text, ending.signal, heard));
  } catch (error) {
    if (error instanceof TaskFlowError) throw error;
    // What has made no sense to the program was no answer, rather than an error in here.
    throw (await misfitOf(heard, new URL(readServerUrl(text)).host)) ?? error;
  } finally {
    ending.abort();
  }
}

/** Answers that are kept to say what was wrong with them. */
const heardMax = 10;

function createServerSession(call: Call, text: string, signal: AbortSignal, heard: Heard[]): Session {
  const token = readServerToken(tokenEnvironment(call));
  const url = readServerUrl(text);
  const { host } = new URL(url);
  const connection: Connection = {
    url,
    token,
    fetch: (request) => fetch(request),
    clock: systemClock,
    chance: systemChance,
    // Numbers are shown as they were written, as they are straight from the store.
    read: readStoredJson,
  };
  const ids = createIds(systemClock, systemChance);
  return {
    async ask<Input, Output>(operation: Operation<Input, Output>, input: unknown): Promise<Output> {
      const fields = input as Readonly<Record<string, unknown>>;
      try {
        const bounds = { signal, timeoutMs: limits.apiCallMs + waitOf(fields) };
        const answer = await callOperation(connection, operation, withIds(ids, operation, fields), bounds);
        await checkAnswer({ operation, answer }, host);
        heard.push({ operation, answer });
        if (heard.length > heardMax) heard.shift();
        return answer as Output;
      } catch (error) {
        throw error instanceof TaskFlowError ? withHint(error, token !== null) : error;
      }
    },
  };
}

/** With the file of `--token-file` in the place of what the environment names. */
export function tokenEnvironment(call: Call): Call['env'] {
  const file = call.text('token-file');
  return file === undefined ? call.env : { ...call.env, TASKFLOW_TOKEN_FILE: resolve(call.cwd, file) };
}

const hints: Partial<Readonly<Record<ErrorCode, string>>> = {
  SERVER_UNREACHABLE: 'Check the address that --server names, and that the server runs: taskflow server status',
  SERVER_ANSWER_UNKNOWN: 'Check the address that --server names; the path of a server below one is part of it.',
  SCOPE_MISSING: 'Use another key, or make one that may: taskflow token create NAME --scopes …',
  FORBIDDEN: 'Use another key, or make one that may: taskflow token create NAME --role …',
};

/** What to do next at a command line, where the server speaks of requests. */
function withHint(error: TaskFlowError, hasToken: boolean): TaskFlowError {
  if (error.code === 'UNAUTHENTICATED')
    return retold(error, {
      hint: hasToken
        ? 'That is the key in TASKFLOW_TOKEN, or in the file of --token-file: taskflow token list shows which are good.'
        : 'Put a key into TASKFLOW_TOKEN, or name a file with --token-file; taskflow token create makes one at the store.',
    });
  const hint = error.code === 'SERVER_ANSWER_UNKNOWN' && error.hint !== undefined ? error.hint : hints[error.code];
  return hint === undefined ? error : retold(error, { hint });
}
