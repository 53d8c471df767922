/** What must not compile: every line below a directive is an error, and stays one. */
import { DatabaseSync } from 'node:sqlite';
import { contract, createClient, createWorker, flow, snooze, task } from 'taskflowjs';
import { testKit } from 'taskflowjs/testing';
import { z } from 'zod';
import * as email from './tasks/email.ts';
import * as image from './tasks/image.ts';

const input = z.object({ userId: z.string(), list: z.array(z.string()), at: z.date() });
const run = async (): Promise<void> => {};
const client = createClient<typeof email>();

// inputs
// @ts-expect-error a literal that is not in the enum
void email.sendWelcome.enqueue({ userId: 'x', locale: 'fr' });
// @ts-expect-error a field is missing
void email.sendWelcome.enqueue({});
// @ts-expect-error a field that does not exist
void email.sendWelcome.enqueue({ userId: 'x', user: 'y' });
// @ts-expect-error a wrong field in one of many
void email.sendWelcome.enqueueMany([{ userId: 'x' }, { userId: 3 }]);
// @ts-expect-error a wrong input beside options
void email.sendWelcome.enqueueMany([{ input: { userId: 3 }, options: {} }]);

// options of an enqueue
// @ts-expect-error not a duration
void email.sendWelcome.enqueue({ userId: 'x' }, { delay: '5 mins' });
// @ts-expect-error a priority typo
void email.sendWelcome.enqueue({ userId: 'x' }, { priority: 'hihg' });
// @ts-expect-error an option typo
void email.sendWelcome.enqueue({ userId: 'x' }, { dealy: '5m' });
// @ts-expect-error not a word of ifExists
void email.sendWelcome.enqueue({ userId: 'x' }, { ifExists: 'skip' });
// @ts-expect-error a time is a Date
void email.sendWelcome.enqueue({ userId: 'x' }, { at: '2026-11-23' });
// @ts-expect-error keyFor is a duration
void email.sendWelcome.enqueue({ userId: 'x' }, { keyFor: true });
// @ts-expect-error a rule for errors cannot travel with one task
void email.sendWelcome.enqueue({ userId: 'x' }, { retry: { on: () => true } });
// @ts-expect-error `wait` is for run
void email.sendWelcome.enqueue({ userId: 'x' }, { wait: '10s' });
// @ts-expect-error a transaction is a connection
void email.sendWelcome.enqueue({ userId: 'x' }, { tx: {} });
// @ts-expect-error a transaction is of a whole call
void email.sendWelcome.enqueueMany([{ input: { userId: 'x' }, options: { tx: new DatabaseSync('x.db') } }]);
// @ts-expect-error the result is not there before the commit
void email.sendWelcome.run({ userId: 'x' }, { tx: new DatabaseSync('x.db') });

// results
// @ts-expect-error the result has no such field
(await email.sendWelcome.run({ userId: 'x' })).messageID;
// @ts-expect-error a Date arrives as text
(await email.sendWelcome.run({ userId: 'x' })).sentAt.getTime();

// definitions
// @ts-expect-error the template names a field the input does not have
task('a', { input, run, key: 'welcome:{userid}' });
// @ts-expect-error the second placeholder is the wrong one
task('a', { input, run, key: '{userId}:{nope}' });
// @ts-expect-error a list has no place in a name
task('a', { input, run, key: 'welcome:{list}' });
// @ts-expect-error the same for a contract
contract('a', { input, output: z.null(), key: '{userid}' });
// @ts-expect-error keyFor is a duration
task('a', { input, run, key: '{userId}', keyFor: 'a month' });
// @ts-expect-error a group is named by a field the input has
task('a', { input, run, group: '{userid}' });
// @ts-expect-error a limit is counted by a field the input has
task('a', { input, run, concurrency: { limit: 1, key: '{userid}' } });
// @ts-expect-error a limit has a number
task('a', { input, run, concurrency: { key: '{userId}' } });
// @ts-expect-error not a way to say it
task('a', { input, run, concurrency: '3' });
// @ts-expect-error the same for a rate
task('a', { input, run, rateLimit: { limit: 1, per: '1s', key: '{userId}:{nope}' } });
// @ts-expect-error a rate has a period
task('a', { input, run, rateLimit: { limit: 1 } });
// @ts-expect-error not a duration
task('a', { input, run, timeout: '5 mins' });
// @ts-expect-error an option typo
task('a', { input, run, timout: '5m' });
// @ts-expect-error not a kind of backoff
task('a', { input, run, retry: { attempts: 3, backoff: 'linear' } });
// @ts-expect-error attempts are missing
task('a', { input, run, retry: { delay: '1s' } });
// @ts-expect-error not a way to cancel
task('a', { input, run, cancel: 'lax' });
// @ts-expect-error no handler
task('a', { input });
// @ts-expect-error no input schema
task('a', { run });
// @ts-expect-error the handler returns what the output schema refuses
task('a', { input, output: z.object({ n: z.int() }), run: async ({ userId }) => ({ n: userId }) });
// @ts-expect-error a wrong literal in a result
task('a', { input, output: z.object({ kind: z.enum(['x', 'y']) }), run: () => ({ kind: 'z' }) });
// @ts-expect-error the input is already known in the handler
task('a', { input, run: async ({ userID }) => userID });
// @ts-expect-error a contract needs an output
contract('a', { input });
// @ts-expect-error a contract has no handler
contract('a', { input, output: z.null(), run: () => null });
// @ts-expect-error an implementation returns what the contract says
void image.resizeImage.implement(async () => ({ url: 'https://x.test', bytes: 'many' }));
// @ts-expect-error an implementation may not invent input
void image.resizeImage.implement(async ({ height }) => ({ url: 'https://x.test', bytes: height }));
// @ts-expect-error a kind of isolation that there is not
task('a', { input, run, isolate: 'thread' });
// @ts-expect-error memory is a number of megabytes
task('a', { input, run, isolate: 'process', memoryMb: '256mb' });

// flows
const start = flow('f', { input: z.object({ id: z.string() }) });
const report = start.step('report', image.buildReport).from(({ flow: { id } }) => ({ day: id }));
// @ts-expect-error a wrong input of a step
start.step('report', image.buildReport).from(({ flow: { id } }) => ({ date: id }));
// @ts-expect-error a field the flow's input does not have
start.step('report', image.buildReport).from(({ flow: { day } }) => ({ day }));
// @ts-expect-error a result that the step does not need
report.step('mail', email.sendWelcome).from((results) => ({ userId: results.report.kind }));
// @ts-expect-error a step that is not there, so that no circle can be written
report.step('mail', email.sendWelcome, { needs: ['resize'] });
// @ts-expect-error a step cannot need itself
report.step('mail', email.sendWelcome, { needs: ['mail'] });
// @ts-expect-error a field the result does not have
report.step('mail', email.sendWelcome, { needs: ['report'] }).from((results) => ({ userId: results.report.size }));
// @ts-expect-error a list is needed
report.step('mail', email.sendWelcome).forEach(() => ({ userId: 'x' }));
// @ts-expect-error a wrong input in the list
report.step('mail', email.sendWelcome).forEach(() => [{ userId: 3 }]);
// @ts-expect-error a flow without a step cannot run
void start.enqueue({ id: 'x' });
// @ts-expect-error a wrong input of the flow
void report.enqueue({ id: 3 });
// @ts-expect-error a result that no step has
(await (await report.enqueue({ id: 'x' })).result()).mail;
// @ts-expect-error a wrong input of the task for a failure
report.onFailure(email.sendWelcome, ({ failed }) => ({ user: failed }));
// @ts-expect-error a flow has no handler that could take too long
flow('f', { input: z.object({}), timeout: '1m' });
// @ts-expect-error a wrong input of a spawned task
task('a', { input, run: (_input, ctx) => ctx.spawn(email.sendWelcome, { userId: 3 }) });
// @ts-expect-error the run gives the id
task('a', { input, run: (_input, ctx) => ctx.spawn(email.sendWelcome, { userId: 'x' }, { id: 'x' }) });
// @ts-expect-error not a policy
void email.sendWelcome.enqueue({ userId: 'x' }, { dependsOn: [{ task: 'x', onFailure: 'retry' }] });

// schedules
// @ts-expect-error a wrong literal in an input
email.sendWelcome.schedule('s', { cron: '* * * * *', input: { userId: 'x', locale: 'fr' } });
// @ts-expect-error the same from a function
email.sendWelcome.schedule('s', { cron: '* * * * *', input: () => ({ userId: 'x', locale: 'fr' }) });
// @ts-expect-error a function that forgets a field
email.sendWelcome.schedule('s', { cron: '* * * * *', input: ({ at }) => ({ sendAt: at }) });
// @ts-expect-error two kinds of times
email.sendWelcome.schedule('s', { cron: '* * * * *', every: '1m', input: { userId: 'x' } });
// @ts-expect-error no time
email.sendWelcome.schedule('s', { input: { userId: 'x' } });
// @ts-expect-error no input
email.sendWelcome.schedule('s', { every: '1m' });
// @ts-expect-error an interval has no zone
email.sendWelcome.schedule('s', { every: '1m', timezone: 'UTC', input: { userId: 'x' } });
// @ts-expect-error not a duration
email.sendWelcome.schedule('s', { every: 'daily', input: { userId: 'x' } });
// @ts-expect-error not a word of overlap
email.sendWelcome.schedule('s', { every: '1m', input: { userId: 'x' }, overlap: 'wait' });
// @ts-expect-error not a word of catchUp
email.sendWelcome.schedule('s', { every: '1m', input: { userId: 'x' }, catchUp: 'one' });
// @ts-expect-error an option typo
email.sendWelcome.schedule('s', { every: '1m', input: { userId: 'x' }, jiter: '1s' });
// @ts-expect-error not a duration
void snooze('10 minutes');

// clients
// @ts-expect-error an unknown task name
void client.enqueue('email.wellcome', { userId: 'x' });
// @ts-expect-error not a task of that module
void client.enqueue('notATask', {});
// @ts-expect-error a wrong input by name
void client.enqueue('email.welcome', { userId: 3 });
// @ts-expect-error a wrong result by name
(await client.run('email.welcome', { userId: 'x' })).nope;
// @ts-expect-error an option of a later version
createClient({ url: 'http://localhost:8000' });

// workers and tests
// @ts-expect-error tasks are missing
void createWorker({ queues: ['default'] });
// @ts-expect-error not an event
(await createWorker({ tasks: email })).on('fialed', () => {});
// @ts-expect-error a stub returns what the handler would
(await testKit({ tasks: email })).stub(email.sendWelcome, { return: { messageId: 3 } });
// @ts-expect-error an input of another task
(await testKit({ tasks: email })).execute(email.sendWelcome, { src: 'x' });
