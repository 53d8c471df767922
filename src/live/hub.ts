/** The hub: one reader of the event log for all clients of a server. It tells tasks at once, everything else a few times a second. */

import { type Chance, systemChance } from '../core/chance.ts';
import type { BatchEvent } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import { formatCursor, type LiveChange, type LiveCursor, type ResyncReason } from '../core/live.ts';
import { type Cancel, type Clock, isoTime, onNextTurn } from '../core/time.ts';
import type { Report } from '../engine/service.ts';
import type { OperationContext } from '../operations/operation.ts';
import { createFeed } from './feed.ts';
import { createFrame } from './frame.ts';
import { createGather } from './gather.ts';
import { catchUp, changesFrame, createGroup, type FollowRequest, type Group, partsOf, sendSome } from './group.ts';
import { createLog } from './log.ts';
import { createViews } from './views.ts';

export interface LiveHubOptions {
  /** Its store is followed; what topics of states show is what its operations answer a viewer. */
  readonly context: OperationContext;
  readonly report: Report;
  readonly clock?: Clock;
  readonly chance?: Chance;
  /** Tasks in one message; `limits.liveGatherMax` without it. */
  readonly gatherMax?: number;
}

/** What a client follows. */
export interface Following {
  /** For a client that was too slow: it is told to ask anew, and hears what comes from here on. */
  resync(): void;
  /** It hears nothing more. Calling it again does nothing. */
  end(): void;
}

export interface LiveHub {
  follow(request: FollowRequest): Following;
  /** How many are followed now. */
  readonly followed: number;
  /** Everybody hears nothing more. */
  close(): Promise<void>;
}

/** It reads the log only while somebody follows, and a little longer for who comes back. */
export function createLiveHub(options: LiveHubOptions): LiveHub {
  const { context, report, clock = context.clock, chance = systemChance, gatherMax = limits.liveGatherMax } = options;
  const { broker, history } = context.store;
  const groups = new Set<Group>();
  const byTask = new Map<string, Set<Group>>();
  const arriving = new Set<Group>();
  let unsubscribe: (() => void) | null = null;
  let cancelRest: Cancel = () => {};
  const log = createLog({ feed: createFeed({ broker, history }), clock, chance, report, onEvents, onLost });
  const gather = createGather({ clock, itemsMax: gatherMax, cursor: place });
  const views = createViews({ context, clock, chance, report, cursorOf });

  /** Where everybody is who has joined. */
  function place(): LiveCursor {
    const { incarnation = '', seq = 0 } = log.place ?? {};
    return { incarnation, seen: seq, gathered: gather.told ?? seq };
  }

  /** One that has just joined may have heard more than was told to the others. */
  function cursorOf(group: Group): LiveCursor {
    const here = place();
    return { ...here, gathered: Math.max(here.gathered, group.cursor?.gathered ?? 0) };
  }

  function onEvents(events: readonly BatchEvent[]): void {
    if (events.length > 0) {
      // The gathered ones first: how far those were told is part of every cursor.
      gather.add(events);
      if (byTask.size > 0) tellTasks(events);
      views.touch(events);
    }
    for (const group of arriving) void bringUp(group);
  }

  function tellTasks(events: readonly BatchEvent[]): void {
    const told = new Map<Group, LiveChange[]>();
    for (const { seq, at, kind, items } of events)
      for (const item of items) {
        const interested = byTask.get(item.taskId);
        if (interested === undefined) continue;
        const { taskId, ...facts } = item;
        for (const group of interested) {
          if (!group.isJoined || seq <= (group.cursor?.seen ?? 0) || !group.wantsTask(item)) continue;
          const { name, queue, version, from, to, reason, attempt } = facts;
          const change = { id: taskId, name, queue, version, kind, from, to, reason, attempt, at: isoTime(at) };
          const changes = told.get(group);
          if (changes === undefined) told.set(group, [change]);
          else changes.push(change);
        }
      }
    for (const [group, changes] of told) sendSome(group, changesFrame(taskNames(group), changes, cursorOf(group)));
  }

  function onLost(reason: ResyncReason): void {
    gather.restart();
    for (const group of groups) if (group.isJoined) resync(group, reason);
  }

  /** It begins anew where the hub is. */
  function resync(group: Group, reason: ResyncReason): void {
    const cursor = { ...place(), gathered: place().seen };
    group.sink.send(createFrame({ type: 'resync', cursor: formatCursor(cursor), topics: group.names, reason }));
    join(group, cursor);
  }

  function join(group: Group, cursor: LiveCursor): void {
    group.cursor = cursor;
    arriving.delete(group);
    group.isJoined = true;
    if (group.gathers.length > 0) gather.join(group);
    views.watch(group);
  }

  /** Tells a group what came before it, until it is where the hub is. Tried again after each look of the log. */
  async function bringUp(group: Group): Promise<void> {
    if (group.isBusy || group.isJoined || group.sink.isFull || log.place === null) return;
    group.isBusy = true;
    try {
      if (group.cursor === null) open(group, { ...place(), gathered: place().seen });
      else await goThrough(group, group.cursor);
    } catch {
      // The store is away, as the log tells: it stays among those who arrive.
    } finally {
      group.isBusy = false;
    }
  }

  function open(group: Group, cursor: LiveCursor): void {
    const text = formatCursor(cursor);
    group.sink.send(createFrame({ type: 'open', cursor: text, topics: group.names }));
    join(group, cursor);
  }

  async function goThrough(group: Group, start: LiveCursor): Promise<void> {
    for (let reads = 0, cursor = start; ; reads++) {
      const { incarnation, seen, gathered } = cursor;
      const next = await log.behind({ incarnation, seq: gathered }, seen);
      if (group.isEnded || group.isJoined || next === null || group.sink.isFull) return;
      if (typeof next === 'string') return resync(group, next);
      if (next.length === 0 && gathered === log.place?.seq) return open(group, { ...cursor, seen: gathered });
      if (reads >= limits.liveCatchUpMax) return resync(group, 'log');
      for (const part of partsOf(next, gatherMax)) {
        catchUp(group, part);
        // A client that is far behind must neither hold up the others nor get more than it reads.
        await new Promise<void>((resolve) => onNextTurn(resolve));
        if (group.isEnded || group.sink.isFull) return;
      }
      cursor = group.cursor ?? cursor;
    }
  }

  function begin(): void {
    cancelRest();
    unsubscribe ??= broker.subscribe(() => log.hint());
    log.start();
  }

  function rest(): void {
    if (groups.size > 0) return;
    cancelRest();
    cancelRest = clock.schedule(limits.liveLingerMs, () => void stop());
  }

  async function stop(): Promise<void> {
    cancelRest();
    unsubscribe?.();
    unsubscribe = null;
    gather.restart();
    await Promise.all([log.stop(), views.stop()]);
  }

  function leave(group: Group): void {
    if (group.isEnded) return;
    group.isEnded = true;
    groups.delete(group);
    arriving.delete(group);
    gather.leave(group);
    views.unwatch(group);
    for (const id of group.taskIds) {
      const others = byTask.get(id);
      others?.delete(group);
      if (others?.size === 0) byTask.delete(id);
    }
    rest();
  }

  return {
    get followed() {
      return groups.size;
    },
    follow(request) {
      const group = createGroup(request);
      groups.add(group);
      arriving.add(group);
      for (const id of group.taskIds) byTask.set(id, (byTask.get(id) ?? new Set()).add(group));
      begin();
      void bringUp(group);
      return {
        resync: () => {
          if (!group.isEnded && log.place !== null) resync(group, 'slow');
        },
        end: () => leave(group),
      };
    },
    async close() {
      for (const group of [...groups]) leave(group);
      await stop();
    },
  };
}

function taskNames({ taskIds }: Group): readonly string[] {
  return [...taskIds].map((id) => `task:${id}`);
}
