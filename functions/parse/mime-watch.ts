// Looks over the MIME parser's shoulder: sees each part as it is found, to have it decoded safely and to note what is
// broken, and takes text and HTML out of the finished tree as the sender wrote them (the parser's own answer joins
// them with markup of its own). The one file that knows mailparser's inside (3.9.31).
import { Transform } from 'node:stream';
import type { MailParser } from 'mailparser';
import { createQuotedPrintableDecoder } from './decode-quoted-printable.ts';
import { decodeEightBit } from './decode-text.ts';
import { limits } from './limits.ts';
import type { ProblemList } from './problems.ts';

/** What has been seen; `bodies` may be asked when the parser has ended or failed. */
export type MimeWatch = {
  readonly bodies: () => { readonly text: string | null; readonly html: string | null };
  /** Says that there were too many parts: the parser sees no more of them, and need not be fed any more. */
  readonly isFull: () => boolean;
};

/** Stands for the charset of a text that declares none (or ASCII), on the way to its decoder. */
const undeclared = 'x-undeclared';

/** Begins to watch a parser that has not been written to yet. Throws where the parser is built in another way. */
export function createMimeWatch(parser: MailParser, problems: ProblemList): MimeWatch {
  const splitter: unknown = Reflect.get(parser, 'splitter');
  if (!(splitter instanceof Transform)) throw new Error('mailparser has changed: no splitter');
  const read = splitter.read.bind(splitter);
  stopSplittingAtLimit(splitter);
  replaceDecoders(parser, problems);
  let parts = 0;
  let textBytes = 0;
  splitter.read = (size?: number): unknown => {
    for (;;) {
      const item: unknown = read(size);
      if (!isObject(item)) return item;
      if (item['type'] === 'node') {
        parts += 1;
        prepareNode(item);
      }
      textBytes += textBytesOf(item);
      if (parts > limits.parts) problems.add('too-many-parts');
      else if (textBytes > limits.textBytes && textBytesOf(item) > 0) problems.add('text-too-large');
      else return item;
    }
  };
  return {
    bodies: () => collectBodies(Reflect.get(parser, 'tree'), problems),
    isFull: () => parts > limits.parts,
  };
}

/**
 * Past the limit no boundary is one any more: the rest is the body of the last part, which nobody reads. Left to
 * itself, the library splits far ahead of what is read, at a cost quadratic in the depth, and its own limit loses
 * what was split and not read yet.
 */
function stopSplittingAtLimit(splitter: Transform): void {
  const newNode: unknown = Reflect.get(splitter, 'newNode');
  if (typeof newNode !== 'function') throw new Error('mailparser has changed: no newNode');
  let parts = 1;
  Reflect.set(splitter, 'newNode', (parent: unknown) => {
    parts += 1;
    if (parts > limits.parts) Reflect.set(splitter, 'checkBoundary', () => false);
    newNode.call(splitter, parent);
  });
}

/**
 * format=flowed is left as it is (RFC 3676 is for showing, and undoing it is quadratic in the library), and
 * quoted-printable goes through a decoder that streams.
 */
function prepareNode(node: Record<string, unknown>): void {
  node['flowed'] = false;
  if (node['encoding'] === 'quoted-printable') node['getDecoder'] = createQuotedPrintableDecoder;
  const { charset } = node;
  if (typeof charset !== 'string' || /^(?:us-?)?ascii$/i.test(charset)) node['charset'] = undeclared;
}

/** The bytes of a piece of text or HTML, as they are encoded; 0 for what is something else. */
function textBytesOf({ type, node, value }: Record<string, unknown>): number {
  if (type !== 'body' || !(value instanceof Uint8Array) || !isObject(node)) return 0;
  const isText = node['contentType'] === 'text/plain' || node['contentType'] === 'text/html';
  return isText && node['disposition'] !== 'attachment' ? value.length : 0;
}

/**
 * Two charsets are not left to the library: ISO-2022-JP, of which it holds a whole text as an array of numbers, and
 * text whose charset is not declared or not known, which it takes for UTF-8 whatever it is.
 */
function replaceDecoders(parser: MailParser, problems: ProblemList): void {
  const decoder: unknown = Reflect.get(parser, 'decoder');
  if (!isObject(decoder)) throw new Error('mailparser has changed: no decoder');
  const decodeStream = decoder['decodeStream'];
  if (typeof decodeStream !== 'function') throw new Error('mailparser has changed: no decodeStream');
  decoder['decodeStream'] = (charset: string): unknown => {
    if (/^(?:jis|iso-?2022-?jp)/i.test(charset)) return createCharsetDecoder('iso-2022-jp');
    if (charset === undeclared) return createGuessingDecoder(problems);
    try {
      return decodeStream.call(decoder, charset);
    } catch {
      return createGuessingDecoder(problems);
    }
  };
}

function createCharsetDecoder(charset: string): Transform {
  const decoder = new TextDecoder(charset);
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, Buffer.from(decoder.decode(chunk, { stream: true }))),
    flush: (done) => done(null, Buffer.from(decoder.decode())),
  });
}

/** UTF-8 where the whole text is that, else windows-1252, which most such texts are in. */
function createGuessingDecoder(problems: ProblemList): Transform {
  const chunks: Buffer[] = [];
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
    flush: (done) => {
      const bytes = Buffer.concat(chunks);
      const { text, utf8 } = decodeEightBit(bytes);
      if (!utf8)
        problems.add('undecodable-text', 'a body names no known charset and is not UTF-8: it was read as windows-1252');
      done(null, utf8 ? bytes : Buffer.from(text));
    },
  });
}

/** All inline text/plain parts, and all inline text/html parts, in order; null where there is none of a kind. */
function collectBodies(tree: unknown, problems: ProblemList): { text: string | null; html: string | null } {
  const texts: string[] = [];
  const htmls: string[] = [];
  const open: unknown[] = [tree];
  while (open.length > 0) {
    const part = open.pop();
    if (!isObject(part)) continue;
    const { contentType, textContent, children } = part;
    if (Array.isArray(children)) open.push(...children.toReversed());
    if (typeof contentType === 'string' && /^multipart\//i.test(contentType) && !hasItems(children)) {
      problems.add('malformed-mime', 'a multipart without any part in it');
    }
    if (part['isAttachment'] === true || typeof textContent !== 'string') continue;
    if (textContent.includes('\ufffd'))
      problems.add('undecodable-text', 'some bytes of a body are not valid in its charset: each is U+FFFD here');
    if (contentType === 'text/plain') texts.push(textContent.toWellFormed());
    if (contentType === 'text/html') htmls.push(textContent.toWellFormed());
  }
  return { text: joined(texts), html: joined(htmls) };
}

function joined(parts: readonly string[]): string | null {
  return parts.length === 0 ? null : parts.join('\n');
}

function hasItems(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
