/** A client of live updates without a connection: it keeps what it hears, and goes on where it was. */

import { expect } from 'vitest';
import { type LiveChange, type LiveMessage, parseCursor, parseTopic } from '../../src/core/live.ts';
import type { LiveFrame } from '../../src/live/frame.ts';
import type { Following, LiveHub } from '../../src/live/hub.ts';

export class LiveListener {
  readonly messages: LiveMessage[] = [];
  cursor: string | null = null;
  isFull = false;
  #following: Following | null = null;

  readonly topics: readonly string[];

  constructor(topics: readonly string[]) {
    this.topics = topics;
  }

  connect(hub: LiveHub): void {
    this.#following = hub.follow({
      topics: this.topics.map(parseTopic),
      after: this.cursor === null ? null : parseCursor(this.cursor),
      sink: this.#sink(),
    });
  }

  disconnect(): void {
    this.#following?.end();
    this.#following = null;
  }

  resync(): void {
    this.#following?.resync();
  }

  get changes(): readonly LiveChange[] {
    return this.messages.flatMap((message) => (message.type === 'changes' ? message.changes : []));
  }

  of(type: LiveMessage['type']): readonly LiveMessage[] {
    return this.messages.filter((message) => message.type === type);
  }

  #sink() {
    const client = this;
    return {
      get isFull() {
        return client.isFull;
      },
      send(frame: LiveFrame) {
        if (client.isFull) return;
        const message = JSON.parse(Buffer.from(frame.json()).toString()) as LiveMessage;
        expect(parseCursor(message.cursor)).not.toBeNull();
        client.messages.push(message);
        client.cursor = message.cursor;
      },
    };
  }
}
