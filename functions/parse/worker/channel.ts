// A stream between a writer that pushes chunks and a reader that pulls them. It can end, fail, or be discarded by the reader.
import { Readable } from 'node:stream';

/** The reader's side is `content`, the rest is the writer's. */
export type Channel = {
  readonly content: AsyncIterable<Uint8Array>;
  readonly push: (bytes: Uint8Array) => void;
  readonly end: () => void;
  readonly abort: () => void;
  /** Says that the content ends with a throw, because the message was given up in the middle of it. */
  readonly isGivenUp: () => boolean;
  /** The reader stops: chunks that are there and those still to come count as taken. */
  readonly discard: () => void;
};

/** Makes a channel; `taken` is called with the length of each chunk that was pulled. */
export function createChannel(taken: (bytes: number) => void): Channel {
  const chunks = new Readable({ objectMode: true, read: () => {} });
  chunks.on('error', () => {}); // its reader sees it
  async function* content(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks.iterator({ destroyOnReturn: false })) {
      taken(chunk.length);
      yield chunk;
    }
  }
  return {
    content: content(),
    push: (bytes) => chunks.push(bytes),
    end: () => chunks.push(null),
    abort: () => chunks.destroy(new Error('the message was given up in the middle of this object')),
    isGivenUp: () => chunks.errored !== null,
    discard: () => chunks.on('data', (chunk: Uint8Array) => taken(chunk.length)),
  };
}
