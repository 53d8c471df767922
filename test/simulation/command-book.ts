/** What people told workers: a small account of the commands that wait, and a watch over what a drained worker sends. */

import type { ClaimRequest, ControlResult, HeartbeatAnswer, HeartbeatRequest } from '../../src/broker/broker.ts';
import type { Tell } from '../../src/checker/verdict.ts';
import type { SentCommand, WorkerCommand } from '../../src/core/commands.ts';

export interface CommandBook {
  control(workerIds: readonly string[], command: WorkerCommand, results: readonly ControlResult[]): void;
  heartbeat(request: HeartbeatRequest, answer: HeartbeatAnswer): void;
  /** Only these processes are known to the store any more. */
  forgetOthers(workerIds: ReadonlySet<string>): void;
}

interface Box {
  lastId: number;
  waiting: readonly SentCommand[];
}

const subjectOf = ({ kind }: WorkerCommand): string => (kind === 'resume' ? 'drain' : kind);

/** A command waits until its worker has confirmed it, whoever loses a reply on the way. */
export function createCommandBook(tell: Tell): CommandBook {
  const boxes = new Map<string, Box>();

  return {
    control(workerIds, command, results) {
      for (const [index, workerId] of workerIds.entries()) {
        const box = boxes.get(workerId);
        const result = results[index];
        if (box === undefined || result?.outcome !== 'sent') {
          if ((box === undefined) !== (result?.outcome === 'unknown'))
            tell('control', null, `a command for ${workerId} was answered ${result?.outcome}`);
          continue;
        }
        if (result.id <= box.lastId)
          tell('control', null, `${workerId} was sent command ${result.id} after ${box.lastId}`);
        box.lastId = result.id;
        const others = box.waiting.filter((one) => subjectOf(one.command) !== subjectOf(command));
        box.waiting = [...others, { id: result.id, command }];
      }
    },
    heartbeat({ worker, heard = 0 }, { commands }) {
      const { workerId } = worker;
      if (worker.state === 'stopped') {
        boxes.delete(workerId);
        return;
      }
      const box = boxes.get(workerId) ?? { lastId: 0, waiting: [] };
      boxes.set(workerId, box);
      box.lastId = Math.max(box.lastId, heard);
      box.waiting = box.waiting.filter(({ id }) => id > heard);
      const [wanted, given] = [box.waiting, commands].map((all) => all.map(({ id }) => id).join());
      if (wanted !== given)
        tell('control', null, `${workerId} was told the commands [${given}], [${wanted}] wait for it`);
    },
    forgetOthers(workerIds) {
      for (const workerId of boxes.keys()) if (!workerIds.has(workerId)) boxes.delete(workerId);
    },
  };
}

/** Is told each call of a process as it is sent, and hands its answer on. */
export type Watch = (name: string, given: readonly unknown[], call: Promise<unknown>) => Promise<unknown>;

/** Sees what one worker sends and is answered: drained, it asks for no tasks but those of a claim that was sent before. */
export function watchDrain(tell: Tell): Watch {
  let heard = 0;
  let isDrained = false;
  const tokens = new Set<string>();
  return (name, given, call) => {
    const request = (name === 'claim' ? given[0] : name === 'settle' ? given[1] : undefined) as
      | ClaimRequest
      | undefined;
    if (request !== undefined && isDrained && !tokens.has(request.token))
      tell('control', null, `${request.workerId} claims under ${request.token} though it was told to drain`);
    if (request !== undefined) tokens.add(request.token);
    if (name !== 'heartbeat') return call;
    return call.then((answer) => {
      const fresh = (answer as HeartbeatAnswer).commands.filter(({ id }) => id > heard);
      for (const { id, command } of fresh.toSorted((left, right) => left.id - right.id)) {
        heard = id;
        if (subjectOf(command) === 'drain') isDrained = command.kind === 'drain';
      }
      return answer;
    });
  };
}
