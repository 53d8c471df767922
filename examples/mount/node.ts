/** In Node's own server. */

import { createServer } from 'node:http';
import { tf } from './dashboard.ts';

const tasks = tf.node();

export const server = createServer((request, response) => {
  if (request.url?.startsWith('/admin/tasks') === true) return void tasks(request, response);
  response.end('the rest of the program');
});
// WebSockets; without this line live updates come as events.
server.on('upgrade', tf.upgrade());
