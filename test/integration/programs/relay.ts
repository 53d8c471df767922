/** A relay and nothing else, pushing without a pause until it is killed. */

import { openHalves } from '../relay-halves.ts';

const [postgres = '', path = '', namespace = ''] = process.argv.slice(2);
const { relay } = await openHalves({ postgres, redis: { path }, namespace });
process.send?.('ready');
for (;;) await relay.push();
