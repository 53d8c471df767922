/** Programs that a dashboard is mounted in: servers and frameworks as people set them up, and proxies before them. */

import { createServer, type RequestListener, type Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import express from 'express';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { Hono } from 'hono';
import type { Dashboard } from '../../src/index.ts';

/** A program that listens; `url` has no slash at its end. */
export interface Host {
  readonly url: string;
  readonly server: Server;
  close(): Promise<void>;
}

export async function listening(server: Server): Promise<Host> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    server,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const elsewhere: RequestListener = (_request, response) => void response.writeHead(404).end('not of the dashboard');

/** Every way to mount one at a path below the root. */
export const hosts: Readonly<Record<string, (tf: Dashboard, base: string) => Promise<Host>>> = {
  'node:http': (tf, base) => {
    const handler = tf.node();
    const isOurs = (url = ''): boolean => url === base || url.startsWith(`${base}/`) || url.startsWith(`${base}?`);
    return listening(
      createServer((request, response) => (isOurs(request.url) ? handler : elsewhere)(request, response)),
    );
  },
  Hono: (tf, base) => {
    const app = new Hono();
    app.all(base, (c) => tf.fetch(c.req.raw));
    app.all(`${base}/*`, (c) => tf.fetch(c.req.raw));
    return listening(createAdaptorServer({ fetch: app.fetch }) as Server);
  },
  'Hono, mounted': (tf, base) => {
    const app = new Hono();
    app.mount(base, tf.fetch);
    return listening(createAdaptorServer({ fetch: app.fetch }) as Server);
  },
  Express: (tf, base) => listening(createServer(express().use(base, tf.node()))),
  'Express behind its parsers of bodies': (tf, base) =>
    listening(
      createServer(
        express()
          .use(express.json(), express.urlencoded({ extended: false }))
          .use(base, tf.node()),
      ),
    ),
  Fastify: async (tf, base) => {
    const app = fastify();
    await app.register((scope, _options, ready) => {
      // The dashboard reads bodies itself.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
      const handler = tf.node();
      const answer = (request: FastifyRequest, reply: FastifyReply): void => {
        reply.hijack();
        void handler(request.raw, reply.raw);
      };
      scope.all(base, answer);
      scope.all(`${base}/*`, answer);
      ready();
    });
    await app.ready();
    const host = await listening(app.server);
    return {
      ...host,
      async close() {
        await host.close();
        await app.close();
      },
    };
  },
};

/** A proxy before a host: `from` is what it takes off the path, `to` what it puts there. */
export function proxyTo(host: Host, from: string, to: string): Promise<Host> {
  return listening(
    createServer(async (request, response) => {
      const { url = '/', method = 'GET' } = request;
      if (!url.startsWith(from)) return elsewhere(request, response);
      const body = method === 'GET' || method === 'HEAD' ? null : await new Response(request as never).bytes();
      const headers = { ...(request.headers as Record<string, string>) };
      for (const name of ['connection', 'content-length', 'transfer-encoding', 'host', 'keep-alive'])
        delete headers[name];
      const answer = await fetch(host.url + to + url.slice(from.length), { method, headers, body, redirect: 'manual' });
      const own = Object.fromEntries(answer.headers);
      delete own['content-encoding'];
      delete own['content-length'];
      delete own['transfer-encoding'];
      response.writeHead(answer.status, own).end(Buffer.from(await answer.arrayBuffer()));
    }),
  );
}
