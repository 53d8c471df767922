/** In Fastify, in a scope of its own that leaves bodies alone. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { tf } from './dashboard.ts';

export async function mountTasks(app: FastifyInstance): Promise<void> {
  await app.register((scope, _options, ready) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const tasks = tf.node();
    const answer = (request: FastifyRequest, reply: FastifyReply): void => {
      reply.hijack();
      void tasks(request.raw, reply.raw);
    };
    scope.all('/admin/tasks', answer);
    scope.all('/admin/tasks/*', answer);
    ready();
  });
  // WebSockets; without this line live updates come as events.
  app.server.on('upgrade', tf.upgrade());
}
