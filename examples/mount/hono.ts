/** In Hono, on any runtime that has Node's modules. */

import { Hono } from 'hono';
import { tf } from './dashboard.ts';

export const app = new Hono();
app.all('/admin/tasks', (c) => tf.fetch(c.req.raw));
app.all('/admin/tasks/*', (c) => tf.fetch(c.req.raw));
