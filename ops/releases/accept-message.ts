// Releases a message from quarantine: queues a job by which stage parse writes it into the inbox of its mailboxes, tells consumers of it
// like of mail that has just come, and then deletes the quarantine object. Until then the message stays where it is; asked again, it is done again.
import { z } from 'zod';
import { envelopeOptionsSchema } from '#mail/envelope/envelope.ts';
import { noDsn } from '#mail/envelope/recipient.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { MailAdmin } from '#ops/admin.ts';
import { json, notFound, refusal } from '#ops/api/answer.ts';
import { mailboxOrDomain, messageId } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import { isInMailbox } from '#ops/messages/show-message.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { parseMessageKey } from '#pipeline/contract/keys.ts';
import type { Clock, JobSender, ObjectStore } from '#pipeline/contract/ports.ts';
import { type InboxMessage, inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { askedBy } from './release-message.ts';

export type AcceptDeps = {
  readonly admin: Pick<MailAdmin, 'findMessage'>;
  readonly store: Pick<ObjectStore, 'get' | 'head'>;
  readonly jobs: JobSender;
  readonly clock: Clock;
};

/** `only`: a mailbox or a domain, null for all. `by`: who asks. */
export type AcceptRequest = { readonly id: MessageId; readonly only: string | null; readonly by: string };

/** `queued`: for the mailboxes that have it in quarantine. `in-inbox`: these have it already. `gone`: none has it, or not any more. */
export type AcceptOutcome =
  | { readonly outcome: 'queued' | 'in-inbox'; readonly mailboxes: readonly string[] }
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'refused'; readonly reason: string };

export type AcceptMessage = (request: AcceptRequest) => Promise<AcceptOutcome>;

/** Recipients of one job at most, as in stage authenticate. */
const maxJobRecipients = 200;
const readTogether = 32;

export const acceptMessage = useCase({
  about: 'put a quarantined message into the inbox; mailbox: only its copies there',
  takes: { ID: messageId, mailbox: mailboxOrDomain },
  gives: z.object({ id: z.string(), outcome: z.enum(['queued', 'in-inbox']), mailboxes: z.array(z.string()) }),
  status: 202,
  refuses: ['not-accepted'],
  answer: async (deps: { readonly acceptMessage: AcceptMessage }, { ID: id, mailbox: only }, { from }) => {
    const accepted = await deps.acceptMessage({ id, only, by: askedBy(from) });
    switch (accepted.outcome) {
      case 'queued':
      case 'in-inbox':
        return json({ id, ...accepted }, 202);
      case 'gone':
        return notFound(
          `message ${id} is in no quarantine and no inbox here, or not in this mailbox: what was deleted cannot be brought back`,
        );
      case 'refused':
        return refusal(409, 'not-accepted', accepted.reason);
    }
  },
});

export function createAcceptMessage({ admin, store, jobs, clock }: AcceptDeps): AcceptMessage {
  return async ({ id, only, by }) => {
    const copies = (await admin.findMessage(id, { everywhere: true })).filter(
      (key) => only === null || isInMailbox(key, only),
    );
    const withheld = copies.filter((key) => parseMessageKey(key)?.folder === 'quarantine');
    if (copies.length === 0) return { outcome: 'gone' };
    if (withheld.length === 0) return { outcome: 'in-inbox', mailboxes: copies.map(mailboxOf) };
    const messages: InboxMessage[] = [];
    for (let at = 0; at < withheld.length; at += readTogether) {
      const some = withheld.slice(at, at + readTogether);
      const found = await Promise.all(some.map((key) => inboxMessageRecord.find(store, key)));
      messages.push(...found.filter((message) => message !== null));
    }
    const [first] = messages;
    if (first === undefined) return { outcome: 'gone' };
    if ((await store.head(first.raw.key)) === null) {
      return {
        outcome: 'refused',
        reason: 'its bytes are not stored any more, and the inbox needs them (retention.rawDays)',
      };
    }
    const released = { at: new Date(clock()).toISOString(), by };
    await Promise.all(jobsOf(id, messages, released).map((job) => jobs.send('parse', job)));
    return {
      outcome: 'queued',
      mailboxes: messages.map((message) => `${message.mailbox.localPart}@${message.mailbox.domain}`),
    };
  };
}

function mailboxOf(key: string): string {
  const { localPart = '', domain = '' } = parseMessageKey(key) ?? {};
  return `${localPart}@${domain}`;
}

type Released = NonNullable<InboxMessage['disposition']['released']>;

/** Of each copy what stage authenticate said in its job. Copies withheld for one reason are one job, up to 200 of them. */
function jobsOf(id: MessageId, messages: readonly InboxMessage[], released: Released): readonly ParseJob[] {
  const groups = Object.values(Object.groupBy(messages, ({ disposition }) => disposition.reason));
  return groups.flatMap((group = []) => {
    const starts = Array.from({ length: Math.ceil(group.length / maxJobRecipients) }, (_, n) => n * maxJobRecipients);
    return starts.flatMap((at) => jobOf(id, group.slice(at, at + maxJobRecipients), released));
  });
}

function jobOf(id: MessageId, messages: readonly InboxMessage[], released: Released): readonly ParseJob[] {
  const [first] = messages;
  if (first === undefined) return [];
  const { receivedAt, raw, session, envelope, authentication, disposition } = first;
  return [
    {
      version: 2,
      id,
      receivedAt,
      raw,
      envelope: {
        ...envelopeOptionsSchema.parse({}),
        session,
        reversePath: envelope.reversePath,
        recipients: messages.map((message) => ({
          forwardPath: message.envelope.forwardPath,
          dsn: noDsn, // success was reported when it was put into quarantine
          mailbox: message.mailbox,
        })),
      },
      authentication,
      disposition: { action: 'accept', reason: disposition.reason, released },
    },
  ];
}
