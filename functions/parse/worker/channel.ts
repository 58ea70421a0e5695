// A stream between a writer that pushes chunks and a reader that pulls them. It can end, fail, or be discarded by the reader.

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
  const chunks: Uint8Array[] = [];
  let state: 'open' | 'ended' | 'aborted' = 'open';
  let isRead = true;
  let wake = (): void => {};
  async function* content(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = chunks.shift();
      if (state === 'aborted') throw new Error('the message was given up in the middle of this object');
      if (chunk !== undefined) {
        taken(chunk.length);
        yield chunk;
      } else if (state === 'ended') return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  const change = (next: typeof state): void => {
    if (state === 'open') state = next;
    wake();
  };
  return {
    content: content(),
    push: (bytes) => {
      if (!isRead) return taken(bytes.length);
      chunks.push(bytes);
      wake();
    },
    end: () => change('ended'),
    abort: () => change('aborted'),
    isGivenUp: () => state === 'aborted',
    discard: () => {
      isRead = false;
      for (const chunk of chunks.splice(0)) taken(chunk.length);
    },
  };
}
