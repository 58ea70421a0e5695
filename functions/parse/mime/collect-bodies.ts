// Collects the text and the HTML of a message from its parts, in order. A small body is kept; a large one is written to an object
// while it is read, so that a body of any length takes little memory.

import { limits } from '#functions/parse/limits.ts';
import type { ProblemList } from '#functions/parse/problems.ts';
import type { ParsedBody } from '#functions/parse/worker/worker-messages.ts';
import type { DepthMeter } from './html-depth.ts';
import type { ObjectWriter, OpenObject } from './read-attachment.ts';

export type BodyKind = 'text' | 'html';

/** Both bodies of a message. */
export type BodyCollector = {
  /** Adds a part, given as pieces of text; it waits for the parts of its kind before it. */
  readonly addPart: (kind: BodyKind, pieces: AsyncIterable<unknown>) => void;
  /** Resolves when all parts of the kind that were added so far are collected. */
  readonly settled: (kind: BodyKind) => Promise<void>;
  /** Called once, when all parts have ended; null for a kind without parts. */
  readonly finish: () => Promise<{ readonly text: ParsedBody; readonly html: ParsedBody }>;
};

type Body = { parts: number; held: string[]; heldBytes: number; object: ObjectWriter | null; last: Promise<void> };

/** Begins a message; `meter` is shown all of its HTML. */
export function createBodyCollector(
  open: OpenObject,
  { meter, problems }: { readonly meter: DepthMeter; readonly problems: ProblemList },
): BodyCollector {
  const bodies: Readonly<Record<BodyKind, Body>> = { text: emptyBody(), html: emptyBody() };
  const write = async (kind: BodyKind, text: string): Promise<void> => {
    const body = bodies[kind];
    if (kind === 'html') meter.push(text);
    if (body.object !== null) return await body.object.write(Buffer.from(text));
    body.held.push(text);
    body.heldBytes += Buffer.byteLength(text);
    if (body.heldBytes > limits.inlineBodyBytes) await spill(kind, body, open);
  };
  const addPart = async (kind: BodyKind, pieces: AsyncIterable<unknown>): Promise<void> => {
    bodies[kind].parts += 1;
    if (bodies[kind].parts > 1) await write(kind, '\n');
    const normal = createNormaliser(problems);
    for await (const piece of pieces) await write(kind, normal(String(piece)));
    await write(kind, normal(null));
  };
  return {
    addPart: (kind, pieces) => {
      const { last } = bodies[kind];
      bodies[kind].last = last
        .then(() => addPart(kind, pieces))
        .catch((error: unknown) => problems.add('parse-failed', `a body could not be read: ${String(error)}`));
    },
    settled: (kind) => bodies[kind].last,
    finish: async () => ({
      text: await close('text', bodies.text, open),
      html: await close('html', bodies.html, open),
    }),
  };
}

function emptyBody(): Body {
  return { parts: 0, held: [], heldBytes: 0, object: null, last: Promise.resolve() };
}

/** From here on the body goes to its object. */
async function spill(kind: BodyKind, body: Body, open: OpenObject): Promise<void> {
  const object = open({ kind });
  body.object = object;
  for (const text of body.held.splice(0)) await object.write(Buffer.from(text));
}

/** A body that is small, also when escaped as JSON, is given as it is. */
async function close(kind: BodyKind, body: Body, open: OpenObject): Promise<ParsedBody> {
  await body.last;
  if (body.parts === 0) return null;
  if (body.object === null) {
    const inline = body.held.join('');
    if (Buffer.byteLength(JSON.stringify(inline)) <= 2 * limits.inlineBodyBytes) return { inline };
    await spill(kind, body, open);
  }
  body.object?.end();
  return 'object';
}

/** Makes lines end in LF, and drops a byte order mark and half surrogate pairs. `null` is the end of the text. */
function createNormaliser(problems: ProblemList): (piece: string | null) => string {
  let carried = '';
  let isStart = true;
  return (piece) => {
    let text = carried + (piece ?? '');
    carried = piece === null ? '' : (/[\r\ud800-\udbff]$/.exec(text)?.[0] ?? '');
    text = text.slice(0, text.length - carried.length);
    if (isStart && text !== '') {
      isStart = false;
      text = text.replace(/^\ufeff/, '');
    }
    if (text.includes('\ufffd')) {
      problems.add('undecodable-text', 'some bytes of a body are not valid in its charset: each is U+FFFD here');
    }
    return text.replaceAll('\r\n', '\n').toWellFormed();
  };
}
