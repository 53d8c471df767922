/** Tests that a search for a pattern of queues finds what the pattern means, whatever a database makes of its letters. */

import { expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { matchesPattern } from '../../src/core/access.ts';
import { newTask, sampleId } from '../conformance/samples.ts';

const queues = ['mail', 'Mail', 'eu.mail', 'mail.eu', 'a%l', 'a_l', 'abl', 'a?l', '[a]l', 'a\\l', 'ÄÖ', '😀é'];

test.each(['*', '*mail', 'm*l', '*.*', 'a%*', 'a_l*', '*?l', '[a]*', '[am]*l', '*\\l', '*Ö', '😀*', '*é', '**'])(
  '%s',
  async (text) => {
    const { broker, history, close } = connect('sqlite::memory:');
    await broker.open();
    await broker.enqueue(queues.map((queue, index) => newTask(sampleId(index), { queue })));
    const values = [{ kind: 'pattern', text }] as const;
    const terms = [{ field: 'queue', path: [], values, negated: false, position: 0 }] as const;
    const { tasks } = await history.search({ terms }, { after: null, limit: 50 });
    const wanted = queues.filter((queue) => matchesPattern(text, queue));
    expect(tasks.map(({ queue }) => queue).reverse()).toEqual(wanted);
    await close();
  },
);
