// Reads one message while it streams in: header first, then the MIME parts, each attachment streamed out as it comes.
// Runs in the parse worker; knows nothing of threads. Parsing is mailparser's, which here sees the body and the fields
// about it only: everything else in the header is read by this folder, in linear time and with caps.
import { pipeline } from 'node:stream/promises';
import { type AttachmentStream, MailParser, type MessageText } from 'mailparser';
import { describeHead } from '#functions/parse/header/describe-head.ts';
import { mimeHeader } from '#functions/parse/header/mime-header.ts';
import { limits } from '#functions/parse/limits.ts';
import { createProblemList, type ProblemList } from '#functions/parse/problems.ts';
import type { FromWorker } from '#functions/parse/worker/worker-messages.ts';
import { readHeaderOf } from '#mail/header/read-header.ts';
import { errorMessage } from '#mail/problem.ts';
import { createMimeWatch, type MimeWatch } from './mime-watch.ts';
import { type OpenObject, readAttachment } from './read-attachment.ts';

/** Where the parts go. */
export type MessageSink = {
  readonly head: (message: Extract<FromWorker, { type: 'head' }>) => void;
  readonly open: OpenObject;
};

type Reading = { readonly sink: MessageSink; readonly problems: ProblemList; attachments: number; failed: boolean };

/** Reads the message; resolves with what comes last. A broken message is a problem in the answer, not a throw. */
export async function readMessage(
  input: AsyncIterable<Uint8Array>,
  sink: MessageSink,
): Promise<Extract<FromWorker, { type: 'done' }>> {
  const chunks = input[Symbol.asyncIterator]();
  const head = await readHead(chunks, sink);
  const reading: Reading = { sink, problems: createProblemList(), attachments: 0, failed: false };
  const watch = await readBody(head, chunks, reading);
  const bodies = await watch.finish();
  return { type: 'done', ...bodies, problems: reading.problems.list() };
}

/** What the MIME parser is given before the rest of the message: a header of its own, and the beginning of the body. */
async function readHead(chunks: AsyncIterator<Uint8Array>, sink: MessageSink): Promise<readonly Uint8Array[]> {
  const { header, rest } = await readHeaderOf(chunks);
  const { problems: found, ...described } = describeHead(header);
  const problems = createProblemList(found);
  const mime = mimeHeader(header, problems);
  sink.head({ type: 'head', head: described, problems: problems.list() });
  const emptyLine = Buffer.from(header.trailing.length > 0 && header.hasEmptyLine ? '\r\n' : '');
  return [mime, header.trailing, emptyLine, rest].filter(({ length }) => length > 0);
}

/** Runs the MIME parser over the body to its end, or to where it fails. */
async function readBody(
  head: readonly Uint8Array[],
  chunks: AsyncIterator<Uint8Array>,
  reading: Reading,
): Promise<MimeWatch> {
  const parser = new MailParser({
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
    keepCidLinks: true,
    keepDeliveryStatus: true,
    checksumAlgo: 'sha1',
    ...{ ignoreEmbedded: true, maxHeadSize: limits.partHeadBytes, maxChildNodes: 2 * limits.parts },
  });
  const watch = createMimeWatch(parser, reading.sink.open, reading.problems);
  const failed = new Promise<unknown>((resolve) => {
    parser.on('error', resolve);
  });
  const read = pipeline(inputOf(head, chunks, watch), parser, (items) => drain(items, reading));
  const failure = await Promise.race([
    failed,
    read.then(
      () => null,
      (error: unknown) => error,
    ),
  ]);
  if (failure === null) return watch;
  // What waits for the failed parser may wait for ever; it must not add anything any more.
  reading.failed = true;
  addFailure(failure, reading.problems);
  return watch;
}

async function* inputOf(
  head: readonly Uint8Array[],
  chunks: AsyncIterator<Uint8Array>,
  { isFull }: MimeWatch,
): AsyncGenerator<Uint8Array> {
  yield* head;
  while (!isFull()) {
    const next = await chunks.next();
    if (next.done === true) return;
    yield next.value;
  }
}

/** Takes the parser's output in order: attachments stream to the sink, the text that it makes of the rest is not used. */
async function drain(items: AsyncIterable<AttachmentStream | MessageText>, reading: Reading): Promise<void> {
  for await (const item of items) {
    const attachment = readAttachment(item, reading.attachments + 1, reading.problems);
    if (attachment === null || reading.failed) continue;
    reading.attachments += 1;
    const isKept = reading.attachments <= limits.attachments;
    const object = isKept ? reading.sink.open(attachment.start) : null;
    if (object === null) reading.problems.add('too-many-attachments');
    for await (const chunk of attachment.content) {
      if (reading.failed) return;
      if (chunk instanceof Uint8Array) await object?.write(chunk);
    }
    if (reading.failed) return;
    object?.end();
    attachment.release();
  }
}

function addFailure(failure: unknown, problems: ProblemList): void {
  const message = errorMessage(failure);
  if (/header size/i.test(message)) problems.add('part-header-too-large');
  else problems.add('parse-failed', `the body could not be read to its end: ${message}`);
}
