// Looks over the MIME parser's shoulder: sees each part as it is found, to have it decoded safely and to note what is
// broken, and takes text and HTML out of the finished tree as the sender wrote them (the parser's own answer joins
// them with markup of its own). Knows mailparser's inside (3.9.31), as split-parts.ts does its splitter's.
import { Transform } from 'node:stream';
import type { MailParser } from 'mailparser';
import { switchingDecoder } from './decode-charset.ts';
import { createQuotedPrintableDecoder } from './decode-quoted-printable.ts';
import { decodeEightBit } from './decode-text.ts';
import { limits } from './limits.ts';
import type { ProblemList } from './problems.ts';
import { correctSplitting, type Splitting } from './split-parts.ts';

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
  const read = withRests(splitter, correctSplitting(splitter, problems));
  replaceDecoders(parser, problems);
  let parts = 0;
  let textBytes = 0;
  splitter.read = (size?: number): unknown => {
    for (;;) {
      const item: unknown = read(size);
      if (!isObject(item)) return item;
      if (item['type'] === 'node') {
        parts += 1;
        prepareNode(item, problems);
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

/** Reads the splitter's items; what stood in the header of a part and belongs to its body comes right behind it. */
function withRests(splitter: Transform, { takeRest }: Splitting): (size?: number) => unknown {
  const read = splitter.read.bind(splitter);
  let waiting: unknown = null;
  return (size) => {
    const item: unknown = waiting ?? read(size);
    waiting = null;
    if (!isObject(item) || item['type'] !== 'node') return item;
    const value = takeRest(item);
    if (value !== null && typeof item['multipart'] !== 'string') waiting = { type: 'body', node: item, value };
    return item;
  };
}

const encodings = ['', '7bit', '8bit', 'binary', 'base64', 'quoted-printable'];

/**
 * format=flowed is left as it is (RFC 3676 is for showing, and undoing it is quadratic in the library), and
 * quoted-printable goes through a decoder that streams.
 */
function prepareNode(node: Record<string, unknown>, problems: ProblemList): void {
  node['flowed'] = false;
  const { encoding } = node;
  if (encoding === 'quoted-printable') node['getDecoder'] = createQuotedPrintableDecoder;
  if (typeof encoding === 'string' && !encodings.includes(encoding)) {
    problems.add('malformed-mime', `a part has the unknown encoding ${JSON.stringify(encoding)}: it is as it stands`);
  }
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
 * Not left to the library: charsets that switch between sets (ISO-2022-JP, of which it holds a whole text as an array
 * of numbers, and some that it does not know), and text whose charset is not declared or not known, which it takes for
 * UTF-8 whatever it is.
 */
function replaceDecoders(parser: MailParser, problems: ProblemList): void {
  const decoder: unknown = Reflect.get(parser, 'decoder');
  if (!isObject(decoder)) throw new Error('mailparser has changed: no decoder');
  const decodeStream = decoder['decodeStream'];
  if (typeof decodeStream !== 'function') throw new Error('mailparser has changed: no decodeStream');
  decoder['decodeStream'] = (charset: string): unknown => {
    const decode = switchingDecoder(charset);
    if (decode !== null) return createWholeDecoder((bytes) => Buffer.from(decode(bytes)));
    if (charset === undeclared) return createGuessingDecoder(problems);
    try {
      return decodeStream.call(decoder, charset);
    } catch {
      return createGuessingDecoder(problems);
    }
  };
}

/** Gathers a text, which is bounded, and decodes it as a whole. */
function createWholeDecoder(decode: (bytes: Buffer) => Buffer): Transform {
  const chunks: Buffer[] = [];
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
    flush: (done) => done(null, decode(Buffer.concat(chunks))),
  });
}

/** UTF-8 where the whole text is that, else windows-1252, which most such texts are in. */
function createGuessingDecoder(problems: ProblemList): Transform {
  return createWholeDecoder((bytes) => {
    const { text, utf8 } = decodeEightBit(bytes);
    if (utf8) return bytes;
    problems.add('undecodable-text', 'a body names no known charset and is not UTF-8: it was read as windows-1252');
    return Buffer.from(text);
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
    if (contentType === 'text/plain') texts.push(plainText(textContent));
    if (contentType === 'text/html') htmls.push(plainText(textContent));
  }
  return { text: joined(texts), html: joined(htmls) };
}

/** A byte order mark says how a text was encoded, it is none of it. */
function plainText(content: string): string {
  return content.replace(/^\ufeff/, '').toWellFormed();
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
