/** Cuts what a process prints into lines, whatever it prints: a line without end costs no more memory than a long one. */

import { StringDecoder } from 'node:string_decoder';
import { limits } from '../core/limits.ts';

export interface OutputLines {
  add(chunk: Buffer): void;
  /** What stands there without a line break is a line too. */
  end(): void;
}

export function createOutputLines(onLine: (line: string) => void): OutputLines {
  const decoder = new StringDecoder('utf8');
  let begun = '';

  function take(text: string): void {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      grow(text.slice(from, at));
      finish();
      from = at + 1;
    }
    grow(text.slice(from));
  }

  /** One character more than is kept, so that the cut shows. */
  function grow(text: string): void {
    if (begun.length <= limits.logLineMax) begun += text.slice(0, limits.logLineMax + 1 - begun.length);
  }

  function finish(): void {
    const line = begun.endsWith('\r') ? begun.slice(0, -1) : begun;
    begun = '';
    if (line !== '') onLine(line);
  }

  return {
    add: (chunk) => take(decoder.write(chunk)),
    end() {
      take(decoder.end());
      finish();
    },
  };
}
