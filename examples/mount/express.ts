/** In Express. Before `express.json()`, which would read the bodies first. */

import express from 'express';
import { tf } from './dashboard.ts';

export const app = express();
app.use('/admin/tasks', tf.node());
app.use(express.json());

/** WebSockets too; without them live updates come as events. */
export function listen(port: number): void {
  app.listen(port).on('upgrade', tf.upgrade());
}
