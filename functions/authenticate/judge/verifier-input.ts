// What mailauth is given to read of a message: a header made of the fields that the one reader found, so that it can find no
// others; no more signatures than were chosen, line ends as signers saw them, and no line so long that canonicalizing it (which
// starts anew with every chunk) takes minutes.
import { setImmediate } from 'node:timers/promises';
import type { HeaderField } from '#mail/header/header-fields.ts';
import type { OpenMessage } from './open-message.ts';

const maxLineBytes = 262_144;
const chunksInOneGo = 16;

/** Thrown into the verifier to make it stop: the message is not one to verify. */
export type UnverifiableError = Error & { readonly unverifiable: true };

/** Says whether an error is ours, from {@link verifierInput}. */
export function isUnverifiable(error: unknown): error is UnverifiableError {
  return error instanceof Error && 'unverifiable' in error;
}

/** The header, with the fields of `hidden` under a name that mailauth does not know, then the body. */
export async function* verifierInput(
  { header }: Pick<OpenMessage, 'header'>,
  hidden: ReadonlySet<HeaderField>,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield headerOf(header.fields, hidden);
  let last = 0x0a;
  let openLine = 0;
  let count = 0;
  for await (const chunk of body) {
    const first = chunk.indexOf(0x0a);
    if (openLine + (first < 0 ? chunk.length : first) > maxLineBytes) throw unverifiable();
    openLine = first < 0 ? openLine + chunk.length : chunk.length - 1 - chunk.lastIndexOf(0x0a);
    yield withWholeLineEnds(chunk, last);
    last = chunk.at(-1) ?? last;
    count += 1;
    if (count % chunksInOneGo === 0) await setImmediate(); // Other mail goes on meanwhile, also with a store that never waits.
  }
}

/** Each field octet for octet, but that its lines end in CRLF; an empty line. */
function headerOf(fields: readonly HeaderField[], hidden: ReadonlySet<HeaderField>): Uint8Array {
  const texts = fields.map((field) => {
    const text = Buffer.from(field.raw.buffer, field.raw.byteOffset, field.raw.length).toString('latin1');
    return hidden.has(field) ? `X${text.slice(1)}` : text;
  });
  const header = texts.join('');
  const lines = /\r(?!\n)|(?<!\r)\n/.test(header) ? header.replace(/\r\n|\r|\n/g, '\r\n') : header;
  return Buffer.from(`${lines}${lines.endsWith('\n') ? '' : '\r\n'}\r\n`, 'latin1');
}

function unverifiable(): UnverifiableError {
  return Object.assign(new Error(`the body has a line of more than ${maxLineBytes} bytes`), {
    unverifiable: true,
  } as const);
}

/** CRLF for every bare LF: signers saw it so, and mailauth would do it one line at a time. `last` is the byte before. */
function withWholeLineEnds(chunk: Uint8Array, last: number): Uint8Array {
  if (!hasBareLineFeed(chunk, last)) return chunk;
  const text = Buffer.from(chunk).toString('latin1');
  const [head, tail] = last === 0x0d && text.startsWith('\n') ? ['\n', text.slice(1)] : ['', text];
  return Buffer.from(head + tail.replace(/(?<!\r)\n/g, '\r\n'), 'latin1');
}

function hasBareLineFeed(chunk: Uint8Array, last: number): boolean {
  for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) {
    if ((at === 0 ? last : chunk[at - 1]) !== 0x0d) return true;
  }
  return false;
}
