/** Looks from another thread where the main one stands: stops it for a moment, reads its frames, lets it go on. */

import { type Debugger, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

/**
 * Resolves with `name (file:line:column)`, innermost first; with nothing when the main thread is outside of JavaScript for
 * longer than `limits.loopStackMs`: in a call of a native module, for one. Only for a thread that is not the main one. Never rejects.
 */
export function readLoopStack(clock: Clock): Promise<readonly string[]> {
  const session = new Session();
  /** A frame names its script by number only. */
  const urls = new Map<string, string>();
  return new Promise((resolve) => {
    let isOver = false;
    const end = (frames: readonly string[]): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      // Lets it go on, if it stands, and takes the wish back to stop it.
      attempt(() => session.post('Debugger.disable'));
      attempt(() => session.disconnect());
      resolve(frames);
    };
    const cancel = clock.schedule(limits.loopStackMs, () => end([]));
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
    session.once('Debugger.paused', ({ params }) =>
      end(params.callFrames.slice(0, limits.errorFramesMax).map((frame) => frameText(frame, urls))),
    );
    const isConnected = attempt(() => session.connectToMainThread());
    if (!isConnected) end([]);
    attempt(() => session.post('Debugger.enable', () => attempt(() => session.post('Debugger.pause'))));
  });
}

/** Whoever looks must not fail with it: another session may have closed this one. */
function attempt(step: () => void): boolean {
  try {
    step();
    return true;
  } catch {
    return false;
  }
}

function frameText({ functionName, location }: Debugger.CallFrame, urls: ReadonlyMap<string, string>): string {
  const url = urls.get(location.scriptId) ?? '';
  const file = url.startsWith('file:') ? fileURLToPath(url) : url;
  const place = file === '' ? 'native' : `${file}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
  return `${functionName === '' ? '(anonymous)' : functionName} (${place})`.slice(0, limits.errorLineMax);
}

/** The first frame that is neither Node's nor a library's. */
export function ownFrame(frames: readonly string[]): string | null {
  return frames.find((frame) => !/\((?:node:|native)|node_modules/.test(frame)) ?? null;
}
