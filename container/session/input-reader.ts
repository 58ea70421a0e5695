// Takes the bytes of a connection apart: command lines, the message behind DATA, the octets behind BDAT.
// Nothing is read ahead of what is being worked on: where a line or a piece of message has to wait, so does the peer.
import { createDataScanner, type DataScanner } from './data-scanner.ts';

const cr = 0x0d;
const lf = 0x0a;
const maxPieces = 64; // of a line; then they become one, for those who send octet by octet
const maxCommandsAtOnce = 100; // then other connections are served

/** Where message bytes go. A promise means: wait for it before the next bytes. Neither ever rejects. */
export type MessageSink = {
  readonly write: (chunk: Buffer) => Promise<void> | undefined;
  readonly end: () => Promise<void> | undefined;
};

/** What the reader calls. A promise means: wait for it before reading on. None ever rejects. */
export type InputEvents = {
  /** A line, its ending taken off. */
  readonly line: (line: Buffer) => Promise<void> | undefined;
  /** A line was longer than allowed; all of it was dropped. */
  readonly overlongLine: () => Promise<void> | undefined;
};

export type InputReader = {
  /** Works the chunk off, then calls `done`; the next chunk must wait for that. */
  readonly push: (chunk: Buffer, done: () => void) => void;
  /** Message bytes until CRLF.CRLF go to the sink, from the next byte on. */
  readonly startData: (sink: MessageSink) => void;
  /** The next `bytes` octets go to the sink as they are (RFC 3030 §2). */
  readonly startChunk: (bytes: number, sink: MessageSink) => void;
  /** Everything from now on is dropped. */
  readonly close: () => void;
};

type Mode =
  | { readonly kind: 'commands' }
  | { readonly kind: 'data'; readonly scanner: DataScanner; readonly sink: MessageSink }
  | { readonly kind: 'chunk'; bytesLeft: number; readonly sink: MessageSink }
  | { readonly kind: 'closed' };

const commands: Mode = { kind: 'commands' };

/** A reader that begins with command lines of at most `maxLineBytes()` (their CRLF counted, RFC 5321 §4.5.3.1.4). */
export function createInputReader(maxLineBytes: () => number, events: InputEvents): InputReader {
  const collect = lineCollector(maxLineBytes);
  let mode: Mode = commands;
  let chunk: Buffer = Buffer.alloc(0);
  let position = 0;
  let done: () => void = () => {};

  function run(): void {
    for (let count = 0; position < chunk.length && mode.kind !== 'closed'; count++) {
      if (count === maxCommandsAtOnce) {
        setImmediate(run);
        return;
      }
      const wait = mode.kind === 'commands' ? readLine() : readMessage();
      if (wait !== undefined) {
        void wait.then(run);
        return;
      }
    }
    chunk = Buffer.alloc(0);
    const finished = done;
    done = () => {};
    finished();
  }

  function readLine(): Promise<void> | undefined {
    const end = chunk.indexOf(lf, position);
    const line = collect(chunk.subarray(position, end < 0 ? chunk.length : end), end >= 0);
    position = end < 0 ? chunk.length : end + 1;
    if (line === 'incomplete') return undefined;
    return line === 'overlong' ? events.overlongLine() : events.line(line);
  }

  function readMessage(): Promise<void> | undefined {
    if (mode.kind === 'data') {
      const { scanner, sink } = mode;
      const { content, end } = scanner.push(chunk, position);
      position = end < 0 ? chunk.length : end;
      if (end >= 0) mode = commands;
      return feed(sink, content, end >= 0);
    }
    if (mode.kind !== 'chunk') return undefined;
    const { sink } = mode;
    const piece = chunk.subarray(position, position + mode.bytesLeft);
    position += piece.length;
    mode.bytesLeft -= piece.length;
    const isEnd = mode.bytesLeft === 0;
    if (isEnd) mode = commands;
    return feed(sink, [piece], isEnd);
  }

  return {
    push(next, whenDone) {
      chunk = next;
      position = 0;
      done = whenDone;
      run();
    },
    startData(sink) {
      mode = { kind: 'data', scanner: createDataScanner(), sink };
    },
    startChunk(bytes, sink) {
      mode = { kind: 'chunk', bytesLeft: bytes, sink };
    },
    close() {
      mode = { kind: 'closed' };
    },
  };
}

/**
 * Collects lines of at most `maxLineBytes()`, their ending counted, over packet boundaries. A line that is too long is dropped up
 * to its end, so that it costs neither memory nor the session. A bare LF ends a command too: people type them, and no message can
 * hide in one, for messages end in CRLF.CRLF alone.
 */
function lineCollector(
  maxLineBytes: () => number,
): (piece: Buffer, isEnd: boolean) => Buffer | 'incomplete' | 'overlong' {
  let pieces: Buffer[] = [];
  let bytes = 0;
  return (piece, isEnd) => {
    bytes += piece.length;
    const isOverlong = bytes + 1 > maxLineBytes();
    if (isOverlong) pieces = [];
    if (!isEnd) {
      if (!isOverlong) pieces.push(piece);
      if (pieces.length > maxPieces) pieces = [Buffer.concat(pieces)];
      return 'incomplete';
    }
    const line = pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]);
    pieces = [];
    bytes = 0;
    if (isOverlong) return 'overlong';
    return line.at(-1) === cr ? line.subarray(0, -1) : line;
  };
}

/** Passes bytes to the sink, and the end behind them; without a promise where the sink needs none. */
function feed(sink: MessageSink, content: readonly Buffer[], isEnd: boolean): Promise<void> | undefined {
  const [first, ...others] = content;
  const wait = first === undefined ? undefined : sink.write(first);
  if (wait === undefined && others.length === 0) return isEnd ? sink.end() : undefined;
  return (wait ?? Promise.resolve()).then(() => feed(sink, others, isEnd));
}
