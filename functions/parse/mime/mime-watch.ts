// Looks over the MIME parser's shoulder: sees each part as it is found, to have it decoded safely and to note what is
// broken, and takes text and HTML to itself as the sender wrote them (the parser's own answer joins them with markup of its
// own, and holds them as a whole). Knows mailparser's inside (3.9.31), as split-parts.ts does its splitter's.
import { Duplex, Transform } from 'node:stream';
import type { MailParser } from 'mailparser';
import { limits } from '#functions/parse/limits.ts';
import type { ProblemList } from '#functions/parse/problems.ts';
import { type BodyCollector, type BodyKind, createBodyCollector } from './collect-bodies.ts';
import { type CharsetDecoders, createBodyDecoder } from './decode-body.ts';
import { createQuotedPrintableDecoder } from './decode-quoted-printable.ts';
import { createDepthMeter } from './html-depth.ts';
import type { OpenObject } from './read-attachment.ts';
import { correctSplitting, type Splitting } from './split-parts.ts';

/** What has been seen; to be finished when the parser has ended or failed. */
export type MimeWatch = {
  readonly finish: BodyCollector['finish'];
  /** Says that there were too many parts: the parser sees no more of them, and need not be fed any more. */
  readonly isFull: () => boolean;
};

/** What parts are read with; `unended`: the decoders of parts that have not ended. */
type Watching = {
  readonly bodies: BodyCollector;
  readonly charsets: CharsetDecoders;
  readonly problems: ProblemList;
  readonly unended: Set<Transform>;
};

/** Begins to watch a parser that has not been written to yet. Throws where the parser is built in another way. */
export function createMimeWatch(parser: MailParser, open: OpenObject, problems: ProblemList): MimeWatch {
  const splitter: unknown = Reflect.get(parser, 'splitter');
  if (!(splitter instanceof Transform)) throw new Error('mailparser has changed: no splitter');
  const read = withRests(splitter, correctSplitting(splitter, problems));
  const meter = createDepthMeter(limits.htmlDepth);
  const bodies = createBodyCollector(open, { meter, problems });
  const watching: Watching = { bodies, charsets: charsetsOf(parser), problems, unended: new Set() };
  let parts = 0;
  splitter.read = (size?: number): unknown => {
    for (;;) {
      const item: unknown = read(size);
      if (!isObject(item)) return item;
      if (item['type'] === 'node') {
        parts += 1;
        if (parts <= limits.parts) prepareNode(item, watching);
      }
      if (parts <= limits.parts) return item;
      problems.add('too-many-parts');
    }
  };
  return {
    finish: async () => {
      for (const decoder of watching.unended) decoder.end();
      noteEmptyMultiparts(Reflect.get(parser, 'tree'), problems);
      const found = await bodies.finish();
      if (meter.isDeeper()) problems.add('html-too-deep');
      return found;
    },
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

/** format=flowed is left as it is (RFC 3676 is for showing), and quoted-printable goes through a decoder that streams. */
function prepareNode(node: Record<string, unknown>, watching: Watching): void {
  node['flowed'] = false;
  const { encoding } = node;
  if (encoding === 'quoted-printable') node['getDecoder'] = createQuotedPrintableDecoder;
  if (typeof encoding === 'string' && !encodings.includes(encoding)) {
    const detail = `a part has the unknown encoding ${JSON.stringify(encoding)}: it is as it stands`;
    watching.problems.add('malformed-mime', detail);
  }
  const kind = bodyKindOf(node);
  if (kind !== null) divertBody(node, kind, watching);
}

/** What the parser takes for a part of the text or the HTML; null for all others. */
function bodyKindOf({ contentType, disposition, root }: Record<string, unknown>): BodyKind | null {
  if (disposition && disposition !== 'inline') return null;
  if (contentType === 'text/plain' || (!contentType && root === true)) return 'text';
  return contentType === 'text/html' ? 'html' : null;
}

/** The part's bytes go to our own decoders; the parser is given nothing of them. */
function divertBody(node: Record<string, unknown>, kind: BodyKind, watching: Watching): void {
  const { bodies, charsets, problems, unended } = watching;
  const { getDecoder, charset } = node;
  if (typeof getDecoder !== 'function') throw new Error('mailparser has changed: no getDecoder');
  node['charset'] = 'utf-8';
  node['getDecoder'] = () => {
    const decoder: unknown = getDecoder.call(node);
    if (!(decoder instanceof Transform)) throw new Error('mailparser has changed: no decoder');
    unended.add(decoder);
    const before = bodies.settled(kind);
    const text = createBodyDecoder(typeof charset === 'string' ? charset : null, charsets, problems);
    decoder.on('error', (error) => text.destroy(error));
    bodies.addPart(kind, decoder.pipe(text));
    return new Duplex({
      // Parts of a kind that come before this one are done with first: nothing is held for long.
      write: (chunk: Buffer, _encoding, done) => {
        void before.then(() => {
          if (decoder.writableEnded || decoder.write(chunk)) done();
          else decoder.once('drain', () => done());
        });
      },
      final(done) {
        unended.delete(decoder);
        void before.then(() => {
          decoder.end();
          this.push(null);
          done();
        });
      },
      read: () => {},
    });
  };
}

/** The parser's own decoders of charsets, by name. */
function charsetsOf(parser: MailParser): CharsetDecoders {
  const decoder: unknown = Reflect.get(parser, 'decoder');
  const decodeStream = isObject(decoder) ? decoder['decodeStream'] : undefined;
  if (typeof decodeStream !== 'function') throw new Error('mailparser has changed: no decodeStream');
  return (charset) => decodeStream.call(decoder, charset);
}

function noteEmptyMultiparts(tree: unknown, problems: ProblemList): void {
  const open: unknown[] = [tree];
  while (open.length > 0) {
    const part = open.pop();
    if (!isObject(part)) continue;
    const { contentType, children } = part;
    if (Array.isArray(children)) open.push(...children);
    if (typeof contentType === 'string' && /^multipart\//i.test(contentType) && !hasItems(children)) {
      problems.add('malformed-mime', 'a multipart without any part in it');
    }
  }
}

function hasItems(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
