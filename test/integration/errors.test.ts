/** Tests failures that are shown together by their kind, on every store. */

import { expect, test } from 'vitest';
import { auditList } from '../../src/operations/audit.ts';
import { operationGet } from '../../src/operations/bulk.ts';
import { createContext } from '../../src/operations/context.ts';
import { errorGet, errorList, errorRetry } from '../../src/operations/error.ts';
import { errorMark } from '../../src/operations/error-mark.ts';
import { perform } from '../../src/operations/operation.ts';
import { systemSigns } from '../../src/operations/signs.ts';
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

  test('one is muted, resolved and opened again, with who said so in the audit', async () => {
    const rig = await open();
    await rig.enqueue('mail.send');
    await rig.end('failed', { error: refused });
    await rig.recorded();
    const markNow = async () => (await rig.ask(errorGet, { fingerprint: 'aaa1' })).mark;
    expect(await markNow()).toBeNull();
    const muted = await rig.ask(
      errorMark,
      { fingerprint: 'aaa1', as: 'muted', for: '1h', reason: 'known' },
      'operator',
    );
    expect(muted.mark).toMatchObject({ as: 'muted', by: 'ada', reason: 'known' });
    expect(await markNow()).toMatchObject({ as: 'muted', by: 'ada', reason: 'known' });
    await rig.ask(errorMark, { fingerprint: 'aaa1', as: 'resolved' });
    expect((await rig.ask(errorList, {})).errors).toMatchObject([{ mark: { as: 'resolved', until: null } }]);
    expect(await rig.ask(errorMark, { fingerprint: 'aaa1', as: 'open' })).toEqual({ fingerprint: 'aaa1', mark: null });
    expect(await markNow()).toBeNull();
    for (const [input, code] of [
      [{ fingerprint: 'none', as: 'muted' }, 'ERROR_NOT_FOUND'],
      [{ fingerprint: 'aaa1', as: 'muted', for: '60d' }, 'INVALID_OPTION'],
      [{ fingerprint: 'aaa1', as: 'resolved', for: '1h' }, 'INVALID_OPTION'],
      [{ fingerprint: 'aaa1', as: 'gone' }, 'INVALID_OPTION'],
    ] as const)
      await expect(rig.ask(errorMark, input)).rejects.toMatchObject({ code });
    await expect(rig.ask(errorMark, { fingerprint: 'aaa1', as: 'muted' }, 'viewer')).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    const { rows } = await rig.ask(auditList, { operation: 'error.mark', limit: 1 });
    expect(rows).toMatchObject([{ actor: 'ada' }]);
  });

  test('a length that cannot be read is refused before it is written down, and one that was written down mutes nothing', async () => {
    const rig = await open();
    await rig.enqueue('mail.send');
    await rig.end('failed', { error: refused });
    await rig.recorded();
    const input = { fingerprint: 'aaa1', as: 'muted', for: 'junk' };
    await expect(rig.ask(errorMark, input)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect((await rig.ask(auditList, { operation: 'error.mark' })).rows).toEqual([]);
    const words = { operation: 'error.mark', text: 'marked error aaa1 as muted', input, before: null };
    await rig.store.access?.audit.begin({ actor: 'eve', keyId: null, address: null, requestId: null, ...words });
    expect((await rig.ask(errorList, {})).errors).toMatchObject([{ fingerprint: 'aaa1', mark: null }]);
  });

  test('what is new and often is a sign until somebody has muted it', async () => {
    const rig = await open();
    for (let each = 0; each < 3; each += 1) await rig.enqueue('mail.send');
    await rig.end('failed', { error: refused });
    await rig.recorded();
    // Looked at once in a while: each look of the test is another server's.
    const signs = () => perform(systemSigns, createContext({ store: rig.store, actor: rig.context.actor }), {});
    expect(await signs()).toMatchObject({ errors: [{ fingerprint: 'aaa1', sign: 'new', lastHour: 3 }], quiet: [] });
    await rig.ask(errorMark, { fingerprint: 'aaa1', as: 'muted' });
    expect(await signs()).toMatchObject({ errors: [], quiet: ['mail.send'] });
    // On a server that has looked what somebody says of an error is in the next answer.
    expect(await rig.ask(systemSigns, {})).toMatchObject({ quiet: ['mail.send'] });
    await rig.ask(errorMark, { fingerprint: 'aaa1', as: 'open' });
    expect(await rig.ask(systemSigns, {})).toMatchObject({ errors: [{ fingerprint: 'aaa1' }], quiet: [] });
  });
});
