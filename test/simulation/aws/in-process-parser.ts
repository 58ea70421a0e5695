// The parser of stage parse without its worker threads, which a simulation cannot replay: the same reading, in the process itself.
import { readMessage } from '#functions/parse/mime/read-message.ts';
import { createChannel } from '#functions/parse/worker/channel.ts';
import type { Parser } from '#functions/parse/worker/parser.ts';
import type { ParsedHead, ParsedProblem } from '#functions/parse/worker/worker-messages.ts';

/** Reads one message after the other; a store that fails rejects, as it does with the real one. */
export const inProcessParser: Pick<Parser, 'parse'> = {
  parse: async ({ open, keep }) => {
    let head: ParsedHead | null = null;
    const problems: ParsedProblem[] = [];
    const keeping: Promise<void>[] = [];
    const done = await readMessage(await open(), {
      head: (message) => {
        head = message.head;
        problems.push(...message.problems);
      },
      open: (start) => {
        const channel = createChannel(() => {});
        const kept = keep(start, channel.content);
        kept.catch(() => undefined); // `all` rejects with it
        keeping.push(kept);
        return { write: async (bytes) => channel.push(Uint8Array.from(bytes)), end: channel.end };
      },
    });
    await Promise.all(keeping);
    return { head, text: done.text, html: done.html, problems: [...problems, ...done.problems] };
  },
};
