/** Tests failures that are shown together by their kind, on every store. */

import { expect, test } from 'vitest';
import { operationGet } from '../../src/operations/bulk.ts';
import { errorGet, errorList, errorRetry } from '../../src/operations/error.ts';
import { onEachStore } from '../support/operation-stores.ts';
import { waitFor } from '../support/wait-for.ts';

const refused = { name: 'SmtpError', message: '451 try later', stack: 'at send (mail.ts:3:1)', fingerprint: 'aaa1' };
const broken = { name: 'Error', message: 'no such file', stack: null, fingerprint: 'bbb2' };

await onEachStore((open) => {
  test('failures are told by their kind, shown, and run again together', async () => {
    const rig = await open();
    for (let each = 0; each < 3; each += 1) await rig.enqueue('mail.send');
    const ids = await rig.end('failed', { error: refused });
    await rig.enqueue('text.stats');
    await rig.end('failed', { error: broken });
    await rig.enqueue('mail.send');
    await rig.end('succeeded');
    await rig.recorded();
    expect(await rig.ask(errorList, {}, 'viewer')).toMatchObject({
      errors: [
        { fingerprint: 'aaa1', task: 'mail.send', errorName: 'SmtpError', count: 3, lastHour: 3, lastDay: 3 },
        { fingerprint: 'bbb2', task: 'text.stats', message: 'no such file', count: 1 },
      ],
      looked: 4,
      exact: true,
    });
    expect((await rig.ask(errorList, { limit: '1' })).errors).toHaveLength(1);
    const shown = await rig.ask(errorGet, { fingerprint: 'aaa1' });
    expect(shown).toMatchObject({ stack: refused.stack, exact: true, count: 3, newestId: [...ids].sort().at(-1) });
    expect(shown.tasks.map(({ id }) => id).sort()).toEqual([...ids].sort());
    await expect(rig.ask(errorGet, { fingerprint: 'none' })).rejects.toMatchObject({ code: 'ERROR_NOT_FOUND' });
    await expect(rig.ask(errorRetry, { fingerprint: 'none' })).rejects.toMatchObject({ code: 'ERROR_NOT_FOUND' });
    const { operation } = await rig.ask(errorRetry, { fingerprint: 'aaa1', delay: 0 }, 'operator');
    await waitFor(async () =>
      expect(await rig.ask(operationGet, { id: operation?.id })).toMatchObject({ state: 'succeeded', done: 3 }),
    );
    for (const task of await rig.store.broker.getTasks(ids)) expect(task).toMatchObject({ state: 'queued' });
  });
});
