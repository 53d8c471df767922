// What Postgres, its client and the network say, in the words of TaskFlow; and what of it passes by itself.

import { expect, test } from 'vitest';
import { TaskFlowError } from '../../core/errors.ts';
import { isLost, isOutage, isRefusal, translate } from './errors.ts';

const errorOf = (code: string, message: string): Error =>
  Object.assign(new Error(message), code === '' ? {} : { code });

test.for([
  // The server is away, or has no room: that passes.
  ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432', 'STORE_UNREACHABLE', 'outage'],
  ['ETIMEDOUT', 'connect ETIMEDOUT', 'STORE_UNREACHABLE', 'outage'],
  ['EAI_AGAIN', 'getaddrinfo EAI_AGAIN db', 'STORE_UNREACHABLE', 'outage'],
  ['', 'Connection terminated due to connection timeout', 'STORE_UNREACHABLE', 'outage'],
  ['57P03', 'the database system is starting up', 'STORE_UNREACHABLE', 'outage'],
  ['53300', 'sorry, too many clients already', 'STORE_UNREACHABLE', 'outage'],
  ['53200', 'out of memory', 'STORE_UNREACHABLE', 'outage'],
  ['58030', 'could not read block 7', 'STORE_UNREACHABLE', 'outage'],
  ['25P03', 'terminating connection due to idle-in-transaction timeout', 'STORE_UNREACHABLE', 'outage'],
  ['53100', 'could not extend file', 'STORE_FULL', 'outage'],
  ['55P03', 'canceling statement due to lock timeout', 'STORE_LOCKED', 'outage'],
  // Somebody has to change something.
  ['28P01', 'password authentication failed for user "ada"', 'STORE_UNREACHABLE', 'mistake'],
  ['', 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'STORE_UNREACHABLE', 'mistake'],
  ['3D000', 'database "tasks" does not exist', 'STORE_UNREACHABLE', 'mistake'],
  ['08P01', 'unsupported startup parameter: statement_timeout', 'STORE_UNREACHABLE', 'mistake'],
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND nowhere', 'STORE_UNREACHABLE', 'mistake'],
  ['', 'The server does not support SSL connections', 'STORE_UNREACHABLE', 'mistake'],
  ['CERT_HAS_EXPIRED', 'certificate has expired', 'STORE_UNREACHABLE', 'mistake'],
  ['42501', 'permission denied for schema taskflow', 'STORE_READ_ONLY', 'mistake'],
  ['25006', 'cannot execute INSERT in a read-only transaction', 'STORE_READ_ONLY', 'mistake'],
  ['XX001', 'invalid page in block 7', 'STORE_CORRUPT', 'mistake'],
] as const)('%s "%s" is %s, and %s', ([code, message, told, kind]) => {
  const error = translate(errorOf(code, message), 'postgres://host/tasks');
  expect(error).toMatchObject({ code: told, message: expect.not.stringMatching(/\n/) });
  expect([isOutage(error), isRefusal(errorOf(code, message))]).toEqual([kind === 'outage', false]);
});

test('a broken rule of a table or statement is told as it is: a mistake of this program', () => {
  const broken = errorOf('23514', 'violates check constraint');
  expect(translate(broken, 'postgres://host/tasks')).toBe(broken);
  expect([isLost(broken), isRefusal(broken), isOutage(broken)]).toEqual([false, true, false]);
});

test('a socket of this machine that is not there is one of a server that does not run, a certificate is not', () => {
  const at = (syscall: string): unknown =>
    translate(
      Object.assign(errorOf('ENOENT', `${syscall} ENOENT /run/.s.PGSQL.5432`), { syscall }),
      'postgres:///tasks',
    );
  expect([isOutage(at('connect')), isOutage(at('open'))]).toEqual([true, false]);
});

test('what TaskFlow itself has said stays, with the reason for which it was said', () => {
  const own = new TaskFlowError('STORE_CLOSED');
  expect(translate(own, '')).toBe(own);
  expect([isLost(own), isOutage(own)]).toEqual([false, false]);
});
