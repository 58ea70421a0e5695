// Watches mailparser: sees each part when it is found, has it decoded safely, and notes what is broken. Text and HTML do not go to
// the parser, because it joins them with markup of its own and holds them as a whole: they are decoded here, as they were sent.
import { Duplex } from 'node:stream';
import type { MailParser } from 'mailparser';
import { limits } from '#functions/parse/limits.ts';
import type { ProblemList } from '#functions/parse/problems.ts';
import { type BodyCollector, type BodyKind, createBodyCollector } from './collect-bodies.ts';
import { type CharsetDecoders, createBodyDecoder } from './decode-body.ts';
import { createQuotedPrintableDecoder } from './decode-quoted-printable.ts';
import { createDepthMeter } from './html-depth.ts';
import type { Part, TreePart } from './mailparser-inside.ts';
import type { OpenObject } from './read-attachment.ts';
import { correctSplitting } from './split-parts.ts';

/** What has been seen; to be finished when the parser has ended or failed. */
export type MimeWatch = {
  readonly finish: BodyCollector['finish'];
  /** Whether there were too many parts: the parser sees no more of them, and needs no more input. */
  readonly isFull: () => boolean;
};

/** What parts are read with; `unended`: the decoders of parts that have not ended. */
type Watching = {
  readonly bodies: BodyCollector;
  readonly charsets: CharsetDecoders;
  readonly problems: ProblemList;
  readonly unended: Set<Duplex>;
};

/** Begins to watch a parser that has not been written to yet. */
export function createMimeWatch(parser: MailParser, open: OpenObject, problems: ProblemList): MimeWatch {
  const takeRest = correctSplitting(parser.splitter, problems);
  const meter = createDepthMeter(limits.htmlDepth);
  const bodies = createBodyCollector(open, { meter, problems });
  const charsets: CharsetDecoders = (charset) => parser.decoder.decodeStream(charset);
  const watching: Watching = { bodies, charsets, problems, unended: new Set() };
  const process = parser.processChunk.bind(parser);
  let parts = 0;
  parser.processChunk = (item, done) => {
    if (item.type === 'node') parts += 1;
    if (parts > limits.parts) {
      problems.add('too-many-parts');
      return done();
    }
    if (item.type !== 'node') return process(item, done);
    prepareNode(item, watching);
    // Bytes of the header that belong to the body come right behind the part.
    const value = takeRest(item);
    if (value === null || item.multipart !== false) return process(item, done);
    process(item, (error) => (error ? done(error) : process({ type: 'body', node: item, value }, done)));
  };
  return {
    finish: async () => {
      for (const decoder of watching.unended) decoder.end();
      noteEmptyMultiparts(parser.tree, problems);
      const found = await bodies.finish();
      if (meter.isDeeper()) problems.add('html-too-deep');
      return found;
    },
    isFull: () => parts > limits.parts,
  };
}

const encodings = ['', '7bit', '8bit', 'binary', 'base64', 'quoted-printable'];

/** format=flowed is left as it is (RFC 3676 is for showing), and quoted-printable goes through a decoder that streams. */
function prepareNode(node: Part, watching: Watching): void {
  node.flowed = false;
  const { encoding } = node;
  if (encoding === 'quoted-printable') node.getDecoder = createQuotedPrintableDecoder;
  if (encoding !== false && !encodings.includes(encoding)) {
    const detail = `a part has the unknown encoding ${JSON.stringify(encoding)}: it is as it stands`;
    watching.problems.add('malformed-mime', detail);
  }
  const kind = bodyKindOf(node);
  if (kind !== null) divertBody(node, kind, watching);
}

/** Whether the parser would make a part text or HTML; null for all others. */
function bodyKindOf({ contentType, disposition, root }: Part): BodyKind | null {
  if (disposition !== false && disposition !== 'inline') return null;
  if (contentType === 'text/plain' || (contentType === false && root)) return 'text';
  return contentType === 'text/html' ? 'html' : null;
}

/** The part's bytes go to our own decoders; the parser is given nothing of them. */
function divertBody(node: Part, kind: BodyKind, { bodies, charsets, problems, unended }: Watching): void {
  const { charset } = node;
  const getDecoder = node.getDecoder.bind(node);
  node.charset = 'utf-8';
  node.getDecoder = () => {
    const decoder = getDecoder();
    unended.add(decoder);
    const before = bodies.settled(kind);
    const text = createBodyDecoder(charset === false ? null : charset, charsets, problems);
    decoder.on('error', (error) => text.destroy(error));
    bodies.addPart(kind, decoder.pipe(text));
    return new Duplex({
      // Parts of the same kind before this one are finished first, so that little is held.
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

function noteEmptyMultiparts(tree: TreePart | false, problems: ProblemList): void {
  const open = tree === false ? [] : [tree];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    open.push(...part.children);
    if (part.contentType !== false && /^multipart\//i.test(part.contentType) && part.children.length === 0) {
      problems.add('malformed-mime', 'a multipart without any part in it');
    }
  }
}
