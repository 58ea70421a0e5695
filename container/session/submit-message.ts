// A message that the operator hands in without SMTP (the ops API). It passes the same rules as on a submission port: who may send as whom,
// recipients and where their mail goes, suppressions, limits and rates, and the same intake.
import { mayWriteAs } from '#container/intake/submission-rules.ts';
import type { User } from '#container/log-in/authenticate-user.ts';
import { type EmailAddress, formatAddress, isAsciiAddress } from '#mail/address/address.ts';
import { peerOf } from '#mail/address/peer-address.ts';
import { envelopeOptionsSchema } from '#mail/envelope/envelope.ts';
import { replies } from '#mail/smtp/replies.ts';
import { isPositive, type Reply } from '#mail/smtp/reply.ts';
import type { Config } from '#pipeline/config/config.ts';
import { openMessage } from './open-message.ts';
import { newSession, type SessionShared, type SessionState } from './session-state.ts';
import { takeRecipient } from './take-recipient.ts';
import { newTransaction, takeFromRates } from './take-sender.ts';

/** `message`: header and body, lines ending in CRLF. `clientAddress`: the IP address of who hands it in. `onlyCaptured`: not if it could be sent on. */
export type Submission = {
  readonly from: EmailAddress;
  readonly recipients: readonly EmailAddress[];
  readonly message: Buffer;
  readonly clientAddress: string;
  readonly onlyCaptured: boolean;
};

/**
 * `accepted`: stored and queued under `id`. `refused`: nothing was stored; `recipient` null if it is not about one. `not-capture`: neither,
 * because the service is in mode `serve`.
 */
export type Submitted =
  | { readonly outcome: 'accepted'; readonly id: string }
  | { readonly outcome: 'not-capture' }
  | {
      readonly outcome: 'refused';
      readonly refusals: readonly { readonly recipient: string | null; readonly reply: Reply }[];
    };

/** Who sends for a domain of ours if no user may. */
const operatorName = 'ops API';

/** Takes the message for all recipients, or for none. Rejects only where the configuration cannot be read. */
export async function submitMessage(shared: SessionShared, submission: Submission): Promise<Submitted> {
  const config = await shared.config.latest();
  const { from, recipients, message, clientAddress, onlyCaptured } = submission;
  if (onlyCaptured && config.mode !== 'capture') return { outcome: 'not-capture' };
  const sender = senderOf(config, from);
  if (sender === null) return refused(replies.senderNotAllowed);
  const state = newSession(shared, { peer: peerOf(clientAddress), hangUp: () => {}, flush: () => {} });
  state.isEsmtp = true;
  state.helo = 'ops-api';
  state.user = sender.user;
  const tooMany = takeFromRates(state);
  if (tooMany !== null) return refused(tooMany);
  const options = envelopeOptionsSchema.parse({
    bodyType: message.some((byte) => byte > 0x7f) ? '8bitmime' : '7bit',
    smtpUtf8: ![from, ...recipients].every(isAsciiAddress),
  });
  state.transaction = newTransaction(config, { reversePath: formatAddress(from), options });
  const refusals = await takeRecipients(state, recipients);
  return refusals.length > 0 ? { outcome: 'refused', refusals } : takeMessage(state, sender.mayFrom, message);
}

type Sender = { readonly user: User | null; readonly mayFrom: readonly string[] };

/**
 * Whoever may ask the API is the operator, and still no relay: mail is from an address that a user may send as, or from a
 * domain of ours. A capture server relays nothing, so there anybody may be the sender.
 */
function senderOf({ mode, users, hostname, domains }: Config, from: EmailAddress): Sender | null {
  if (mode === 'capture') return { user: null, mayFrom: ['*@*'] };
  const ours = [hostname, ...Object.keys(domains)].map((domain) => `*@${domain}`);
  const operator = { name: operatorName, password: '', mayFrom: ours };
  const user = [...users, operator].find(({ mayFrom }) => mayWriteAs(mayFrom, from));
  return user === undefined ? null : { user, mayFrom: user.mayFrom };
}

type Refused = Extract<Submitted, { outcome: 'refused' }>;

async function takeRecipients(state: SessionState, recipients: readonly EmailAddress[]): Promise<Refused['refusals']> {
  const refusals: Refused['refusals'][number][] = [];
  for (const recipient of recipients.map(formatAddress)) {
    const step = await takeRecipient(state, `TO:<${recipient}>`);
    if ('reply' in step && !isPositive(step.reply)) refusals.push({ recipient, reply: step.reply });
  }
  return refusals;
}

async function takeMessage(state: SessionState, mayFrom: readonly string[], message: Buffer): Promise<Submitted> {
  const incoming = openMessage(state, mayFrom);
  await incoming.write(message);
  const reply = await incoming.finish();
  return isPositive(reply) ? { outcome: 'accepted', id: incoming.id } : refused(reply);
}

function refused(reply: Reply): Submitted {
  return { outcome: 'refused', refusals: [{ recipient: null, reply }] };
}
