// Which mail programs show a message's HTML as it was written: the features it uses, by what caniemail.com knows of each program.
import { isAnswer, json, notFound } from '#ops/api/answer.ts';
import { mailbox, messageId } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { clientReportSchema, reportSupport } from '#ops/content/client-report.ts';
import { usedFeatures } from '#ops/content/used-features.ts';
import type { ServiceDeps } from '#ops/deps.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { readMessage } from './show-message.ts';

type Deps = Pick<ServiceDeps, 'admin' | 'store' | 'clientSupport'>;

/** Of longer HTML the beginning is looked at. */
const maxCheckedBytes = 2_097_152;

export const checkClients = useCase({
  about: 'which mail programs support the HTML and CSS of a message, by the data of caniemail.com',
  takes: { ID: messageId, mailbox },
  gives: clientReportSchema,
  answer: async (deps: Deps, wanted) => {
    const message = await readMessage(deps, wanted);
    if (isAnswer(message)) return message;
    const html = await beginningOf(deps, message.html);
    if (html === null) return notFound('the message has no HTML');
    return json(reportSupport(usedFeatures(html), deps.clientSupport));
  },
});

/** Null if there is none. */
async function beginningOf({ store }: Deps, part: InboxMessage['html']): Promise<string | null> {
  if (part === null || typeof part === 'string') return part;
  const object = await store.get(part.key);
  if (object === null) return null;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of object.body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= maxCheckedBytes) break;
  }
  return Buffer.concat(pieces).subarray(0, maxCheckedBytes).toString('utf8');
}
