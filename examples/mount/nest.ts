/** In Nest, before `app.listen()`: what is given to `use` comes before the parsers of bodies. */

import { tf } from './dashboard.ts';

/** The part of `INestApplication` that is needed, on Express. */
interface NestApplication {
  use(path: string, handler: ReturnType<typeof tf.node>): unknown;
}

export function mountTasks(app: NestApplication): void {
  app.use('/admin/tasks', tf.node());
}
