/**
 * The services of a server beside a bench, the recorder among them, until its parent lets go. Whoever sends a message is told the time of the
 * processor that was used so far, µs. Usage: node bench/peers/recorder.ts URL NAMESPACE
 */

import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { connect } from '../../src/broker/connect.ts';
import { createToken, systemChance } from '../../src/core/chance.ts';
import { createEngine } from '../../src/engine/engine.ts';
import { inFolder } from '../settings.ts';

const [url = '', namespace = ''] = process.argv.slice(2);

await inFolder(async (folder) => {
  const store = connect(url, { store: `sqlite:${join(folder, 'record.db')}`, namespace });
  await store.broker.open();
  const presence = { workerId: createToken(systemChance), name: 'bench', version: '0' };
  const engine = createEngine({ store, presence });
  engine.start();
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.send?.('ready');
  await once(process, 'disconnect');
  await engine.stop();
  await store.close();
});
