/** In Hono, on any runtime that has Node's modules. */

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { tf } from './dashboard.ts';

export const app = new Hono();
app.all('/admin/tasks', (c) => tf.fetch(c.req.raw));
app.all('/admin/tasks/*', (c) => tf.fetch(c.req.raw));

/** WebSockets too, on Node; without them live updates come as events. */
export function listen(port: number): void {
  serve({ fetch: app.fetch, port }).on('upgrade', tf.upgrade());
}
