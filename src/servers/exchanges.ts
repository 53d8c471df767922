/** Which requests go over a connection and which of them are answered: as much of a store's protocol as a cut at the right moment wants. */

/** Follows one connection from its first byte. */
export interface Exchanges {
  /** Takes bytes to the store; answers with the requests they complete, in order: the command of Redis, the statement of Postgres. */
  sent(bytes: Buffer): readonly Request[];
  /** Takes bytes from the store; answers how many requests it has answered in all. */
  answered(bytes: Buffer): number;
}

export interface Request {
  readonly text: string;
  /** It is answered when so many are. */
  readonly number: number;
}

/** Requests are told by their first line, `POST /path HTTP/1.1`. One follows the other: nobody sends the next before the answer. */
export function followHttp(): Exchanges {
  let requests = 0;
  let answers = 0;
  const toServer = createHttpMessages();
  const fromServer = createHttpMessages();
  return {
    sent: (bytes) =>
      toServer(bytes).map((text) => {
        requests += 1;
        return { text, number: requests };
      }),
    answered: (bytes) => {
      answers += fromServer(bytes).length;
      return answers;
    },
  };
}

/** Answers with the first lines of the messages that bytes complete. */
function createHttpMessages(): (bytes: Buffer) => readonly string[] {
  let rest: Buffer = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const lines: string[] = [];
    for (let message = readHttp(rest); message !== null; message = readHttp(rest)) {
      rest = rest.subarray(message.length);
      lines.push(message.line);
    }
    return lines;
  };
}

function readHttp(bytes: Buffer): { readonly line: string; readonly length: number } | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = bytes.toString('latin1', 0, end);
  const start = end + 4;
  const bodyEnd = /^transfer-encoding: *chunked/im.test(head)
    ? endOfChunks(bytes, start)
    : start + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  if (bodyEnd === null || bytes.length < bodyEnd) return null;
  return { line: head.slice(0, head.indexOf('\r\n')), length: bodyEnd };
}

function endOfChunks(bytes: Buffer, start: number): number | null {
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    at = lineEnd + 2 + size + 2;
    if (size === 0) return at;
  }
}

/** Requests are arrays of strings; an answer is one value, whatever is in it. What a subscriber is sent is not counted well. */
export function followRedis(): Exchanges {
  let requests = 0;
  let answers = 0;
  const toStore = createValues();
  const fromStore = createValues();
  return {
    sent: (bytes) =>
      toStore(bytes).map((words) => {
        requests += 1;
        return { text: words.join(' '), number: requests };
      }),
    answered: (bytes) => {
      answers += fromStore(bytes).length;
      return answers;
    },
  };
}

/** The first words of a value are enough to know it: `FCALL`, and which function. */
const wordsKept = 2;

/** Reads values of RESP 2 and 3 out of a stream: for each that is complete its first words. */
function createValues(): (bytes: Buffer) => readonly (readonly string[])[] {
  let rest: Buffer = Buffer.alloc(0);
  let words: string[] = [];
  /** Parts of the value that are to come; 0 between values. */
  let open = 0;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const values: string[][] = [];
    for (let part = readPart(rest); part !== null; part = readPart(rest)) {
      rest = rest.subarray(part.length);
      open = Math.max(open, 1) - 1 + part.parts;
      if (part.word !== null && words.length < wordsKept) words.push(part.word);
      if (open > 0) continue;
      values.push(words);
      words = [];
    }
    return values;
  };
}

interface Part {
  readonly length: number;
  /** How many parts it announces. */
  readonly parts: number;
  readonly word: string | null;
}

function readPart(bytes: Buffer): Part | null {
  const end = bytes.indexOf('\r\n');
  if (end < 0) return null;
  const size = Math.max(0, Number(bytes.toString('latin1', 1, end)));
  const next = end + 2;
  switch (String.fromCharCode(bytes[0] ?? 0)) {
    case '*':
    case '~':
    case '>':
      return { length: next, parts: size, word: null };
    case '%':
      return { length: next, parts: 2 * size, word: null };
    case '$':
    case '=':
    case '!': {
      if (bytes[1] === minus) return { length: next, parts: 0, word: null };
      if (bytes.length < next + size + 2) return null;
      return { length: next + size + 2, parts: 0, word: bytes.toString('latin1', next, next + Math.min(size, 100)) };
    }
    default:
      return { length: next, parts: 0, word: bytes.toString('latin1', 1, end) };
  }
}

const minus = '-'.charCodeAt(0);

/** Statements, also prepared ones, by their text. One is answered when the store is ready for the next. */
export function followPostgres(): Exchanges {
  const prepared = new Map<string, string>();
  const toStore = createMessages('asks');
  const fromStore = createMessages('answers');
  /** The store says once that it is ready before anything is asked. */
  let rounds = 1;
  let ready = 0;
  const textOf = ({ type, body }: Message): string | null => {
    if (type === 'Q') return firstStrings(body, 1)[0] ?? '';
    const [first = '', second = ''] = firstStrings(body, 2);
    if (type === 'P') prepared.set(first, second);
    return type === 'B' ? (prepared.get(second) ?? '') : null;
  };
  return {
    sent: (bytes) =>
      toStore(bytes).flatMap((message) => {
        const text = textOf(message);
        const request = text === null ? [] : [{ text, number: rounds + 1 }];
        if (message.type === 'Q' || message.type === 'S') rounds += 1;
        return request;
      }),
    answered: (bytes) => {
      ready += fromStore(bytes).filter(({ type }) => type === 'Z').length;
      return ready;
    },
  };
}

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** A client first sends messages without a letter, and asks for TLS with one of them; the refusal of that is a letter alone. */
function createMessages(side: 'asks' | 'answers'): (bytes: Buffer) => readonly Message[] {
  let rest: Buffer = Buffer.alloc(0);
  let starting = side === 'asks';
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const messages: Message[] = [];
    while (true) {
      if (side === 'answers' && messages.length === 0 && rest.toString('latin1') === 'N') rest = Buffer.alloc(0);
      const head = starting ? 0 : 1;
      if (rest.length < head + 4) return messages;
      const length = head + rest.readInt32BE(head);
      if (rest.length < length) return messages;
      const body = rest.subarray(head + 4, length);
      if (!starting) messages.push({ type: String.fromCharCode(rest[0] ?? 0), body });
      else if (!asksForCover(body)) starting = false;
      rest = rest.subarray(length);
    }
  };
}

/** The codes that stand in place of a protocol version: TLS and GSSAPI. */
function asksForCover(body: Buffer): boolean {
  return [80_877_103, 80_877_104].includes(body.readInt32BE(0));
}

function firstStrings(body: Buffer, count: number): readonly string[] {
  const strings: string[] = [];
  for (let at = 0; strings.length < count && at < body.length; ) {
    const end = body.indexOf(0, at);
    strings.push(body.toString('utf8', at, end));
    at = end + 1;
  }
  return strings;
}
