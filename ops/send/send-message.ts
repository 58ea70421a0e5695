// Sends a message that is given in parts. It goes in by the front door: the listener judges it as one from a submission port.
import { z } from 'zod';
import { type EmailAddress, formatAddress } from '#mail/address/address.ts';
import { parseAddressList } from '#mail/address/address-list.ts';
import { isTemporary, type Reply, shownReply } from '#mail/smtp/reply.ts';
import { type Answer, json, refusal } from '#ops/api/answer.ts';
import { flag } from '#ops/api/parameters.ts';
import type { RefusalStatus } from '#ops/api/refusals.ts';
import { bodyUseCase } from '#ops/api/use-case.ts';
import { composeMessage, type NamedAddress } from './compose-message.ts';

/** Hands a message to the listener: for all recipients, or for none. `message`: lines end in CRLF. */
export type Submit = (submission: {
  readonly from: EmailAddress;
  readonly recipients: readonly EmailAddress[];
  readonly message: Buffer;
  /** The IP address of who asked. */
  readonly clientAddress: string;
  /** Not if it could be sent on. */
  readonly onlyCaptured: boolean;
}) => Promise<
  | { readonly outcome: 'accepted'; readonly id: string }
  | { readonly outcome: 'not-capture' }
  | {
      readonly outcome: 'refused';
      /** `recipient` null: it is not about one of them. */
      readonly refusals: readonly { readonly recipient: string | null; readonly reply: Reply }[];
    }
>;

/** What the listener takes by default, and JSON around it: some 38 MB of attachments are as long in base64. */
export const maxSentBytes = 54_525_952;

/** Fields that the other parts of the body make, that say how the message is built, or that mail servers write. */
const ownFields =
  /^(?:from|sender|to|cc|bcc|reply-to|subject|mime-version|content-.*|return-path|received|dkim-signature)$/i;

const address = z.string().transform((text, context): NamedAddress => {
  const { entries } = parseAddressList(text);
  const [{ name, address: read, others, doubt } = { name: '', address: null, others: [], doubt: null }] = entries;
  if (entries.length === 1 && read !== null && others.length === 0 && doubt === null) return { name, address: read };
  context.issues.push({
    code: 'custom',
    message: 'expected one address: a@b.example, or Ann <a@b.example>',
    input: text,
  });
  return z.NEVER;
});
const addresses = z.array(address).default([]);

const attachment = z.strictObject({
  filename: z.string().max(500).nullable().default(null),
  contentType: z
    .string()
    .regex(/^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/i, 'expected a type: image/png')
    .nullable()
    .default(null),
  contentId: z
    .string()
    .regex(/^[!-;=?-~]+$/, 'expected printable characters without < and >')
    .nullable()
    .default(null),
  content: z.base64('expected base64').transform((text) => Buffer.from(text, 'base64')),
});

const bodySchema = z
  .strictObject({
    from: address,
    to: addresses,
    cc: addresses,
    bcc: addresses,
    replyTo: addresses,
    subject: z.string().max(10_000).default(''),
    text: z.string().nullable().default(null),
    html: z.string().nullable().default(null),
    headers: z
      .record(
        z
          .string()
          .regex(/^[!-9;-~]{1,100}$/, 'expected the name of a header field')
          .refine((name) => !ownFields.test(name), 'this field is not set by headers'),
        z
          .string()
          .regex(/^[^\r\n\0]*$/, 'expected one line')
          .max(10_000),
      )
      .default({}),
    attachments: z.array(attachment).max(100).default([]),
  })
  .refine(({ to, cc, bcc }) => to.length + cc.length + bcc.length > 0, {
    path: ['to'],
    message: 'expected a recipient',
  });

export type SendBody = z.output<typeof bodySchema>;

export const sendMessage = bodyUseCase({
  about:
    'sends a message: 202 with its id once it is stored and queued, for all recipients or none; capture: 409 unless this is a capture server',
  takes: { capture: flag },
  body: { schema: bodySchema, maxBytes: maxSentBytes },
  gives: z.object({ id: z.string() }),
  status: 202,
  refuses: ['not-sent', 'not-capture'],
  answer: async ({ submit }: { readonly submit: Submit }, { body, parameters: { capture } }, { from }) => {
    const submitted = await submit({ ...(await submissionOf(body)), clientAddress: from, onlyCaptured: capture });
    switch (submitted.outcome) {
      case 'accepted':
        return json({ id: submitted.id }, 202);
      case 'not-capture':
        return refusal(409, 'not-capture', 'this server serves real mail: the message could leave it');
      case 'refused':
        return refusedBy(submitted.refusals);
    }
  },
});

/** Each address once, however often it is named. */
async function submissionOf({
  bcc,
  headers,
  ...parts
}: SendBody): Promise<Omit<Parameters<Submit>[0], 'clientAddress' | 'onlyCaptured'>> {
  const message = await composeMessage({
    ...parts,
    headers: Object.entries(headers).map(([name, value]) => ({ name, value })),
  });
  const recipients = new Map(
    [...parts.to, ...parts.cc, ...bcc].map((one) => [formatAddress(one.address), one.address]),
  );
  return { from: parts.from.address, recipients: [...recipients.values()], message };
}

type Refusals = Extract<Awaited<ReturnType<Submit>>, { outcome: 'refused' }>['refusals'];

/** 503: later; 413: too large; 403: not from this address; 422: not like this. What the listener said stands beside it. */
function refusedBy(refusals: Refusals): Answer {
  const [first] = refusals;
  const told = refusals.map(({ recipient, reply }) => ({ recipient, reply: shownReply(reply) }));
  const words = told.map(({ recipient, reply }) => (recipient === null ? reply : `${recipient}: ${reply}`)).join('; ');
  return refusal(statusOf(first?.reply), 'not-sent', `not sent to anybody: ${words}`, { refusals: told });
}

function statusOf(reply: Reply | undefined): RefusalStatus<'not-sent'> {
  if (reply === undefined || isTemporary(reply)) return 503;
  if (reply.code === 552) return 413;
  return reply.code === 553 ? 403 : 422;
}
