/** A relay and nothing else, pushing without a pause until it is killed: from outside, or by itself at one of its calls. */

import { dyingAt, type LastCall } from '../../support/dying-at.ts';
import { openHalves } from '../relay-halves.ts';

const [postgres = '', path = '', namespace = '', nth = 'Infinity', after] = process.argv.slice(2);
const die = (): void => void process.kill(process.pid, 'SIGKILL');
const last: LastCall = { left: Number(nth), after: after === 'after', die };
const { relay } = await openHalves({ postgres, redis: { path }, namespace, wrap: (half) => dyingAt(half, last) });
process.send?.('ready');
for (;;) await relay.push();
