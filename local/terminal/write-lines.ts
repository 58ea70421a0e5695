// Log lines on their way out: those of one turn of the event loop leave in one write, since each write to a pipe costs
// about as much as making the line.

export type LineWriter = {
  /** Takes a line, its newline at its end; it is written when the turn is over. */
  readonly line: (line: string) => void;
  /** Writes at once what is waiting: for the end of the process. */
  readonly flush: () => void;
};

/** Gathers lines for `write`, which is called with at least one. */
export function writeLines(write: (text: string) => void): LineWriter {
  let waiting = '';
  const flush = (): void => {
    const text = waiting;
    waiting = '';
    if (text !== '') write(text);
  };
  return {
    line: (line) => {
      if (waiting === '') setImmediate(flush);
      waiting += line;
    },
    flush,
  };
}
