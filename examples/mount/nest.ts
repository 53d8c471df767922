/** In Nest, before `app.listen()`: what is given to `use` comes before the parsers of bodies. */

import type { Server } from 'node:http';
import { tf } from './dashboard.ts';

/** The part of `INestApplication` that is needed, on Express. */
interface NestApplication {
  use(path: string, handler: ReturnType<typeof tf.node>): unknown;
  getHttpServer(): Server;
}

export function mountTasks(app: NestApplication): void {
  app.use('/admin/tasks', tf.node());
  // WebSockets; without this line live updates come as events.
  app.getHttpServer().on('upgrade', tf.upgrade());
}
