// Composes the notification (RFC 3464) that a record owes the sender, and puts it on queue `received` like any other mail. Its id was
// chosen when it became owed, so that doing it twice makes one message. Nothing goes to the null reverse-path or an unproven sender.
import { isAscii } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { DeliverDeps } from '#functions/deliver/deliver-deps.ts';
import { parseAddress } from '#mail/address/address.ts';
import { srsReverse } from '#mail/address/srs.ts';
import { composeDsn, originalBytesNeeded } from '#mail/dsn/dsn.ts';
import type { DsnRecipient } from '#mail/dsn/dsn-input.ts';
import { internalSession } from '#mail/envelope/envelope.ts';
import type { RoutedRecipient } from '#mail/envelope/recipient.ts';
import { routeRecipient } from '#mail/envelope/route-recipient.ts';
import { storedForm } from '#mail/envelope/stored-envelope.ts';
import { isMessageId, type MessageId } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { receivedGroup } from '#pipeline/contract/job-groups.ts';
import type { ReceivedJob } from '#pipeline/contract/jobs.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import type { Intake } from '#pipeline/contract/ports.ts';
import { askedRecipient, type DeliveryNotice, type DeliveryState } from '#pipeline/contract/records/delivery.ts';
import { whyNotTold } from '#pipeline/contract/sender-proof.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { whyHopeless } from '#pipeline/run/own-fault.ts';
import { isHardBounce } from './suppress.ts';

export type NotifyDeps = Pick<DeliverDeps, 'store' | 'intake' | 'jobs' | 'secrets' | 'clock'>;

/** `sent`: the notification is stored and queued. `dropped`: it can go to nobody, and why. */
type NotifyOutcome = { readonly outcome: 'sent' } | { readonly outcome: 'dropped'; readonly reason: string };

/** Sends one notification that a record owes. Throws if the platform fails; run again, it makes no second message. */
export async function notifySender(
  deps: NotifyDeps,
  config: Config,
  { state, notice }: { readonly state: DeliveryState; readonly notice: DeliveryNotice },
): Promise<NotifyOutcome> {
  const { id } = notice;
  if (!isMessageId(id)) throw new Error(`not a message id: ${id}`);
  const untold = whyNotTold(state.job);
  if (untold !== null) return { outcome: 'dropped', reason: untold };
  const recipients = await routesBack(deps, config, state.job.envelope.reversePath);
  if ('reason' in recipients) return { outcome: 'dropped', reason: recipients.reason };
  const bytes = await compose(deps, config, { state, notice, to: recipients.to });
  const key = rawKey({ id, receivedAt: notice.at });
  const job = receivedJob({ id, key, bytes }, state, { receivedAt: notice.at, recipients: recipients.routes });
  // Another run got this far and stored it: whether its job was sent cannot be known, and a double of it does no harm.
  if ((await deps.store.head(key)) !== null) await deps.jobs.send('received', job, { group: receivedGroup(job) });
  else await putIn(deps.intake, job, bytes);
  return { outcome: 'sent' };
}

async function putIn(intake: Intake, job: ReceivedJob, bytes: Uint8Array): Promise<void> {
  const { id, receivedAt, envelope } = job;
  const writer = intake.open({ key: job.raw.key, envelope: storedForm(envelope, { id, receivedAt }) });
  try {
    await writer.write(bytes);
    await writer.commit(job);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** The sender's address as recipients of a `received` job: a mailbox here, an alias, an SRS address, or elsewhere. */
async function routesBack(
  deps: NotifyDeps,
  config: Config,
  reversePath: string,
): Promise<{ readonly routes: RoutedRecipient[]; readonly to: string } | { readonly reason: string }> {
  const address = parseAddress(reversePath);
  if (isProblem(address)) return { reason: `the sender is not an address: ${address.problem}` };
  const isSrs = /^SRS[01][=+-]/i.test(address.localPart);
  const secret = isSrs ? await deps.secrets.read(config.srsSecret ?? 'secret:srs') : '';
  const reversed = isSrs ? srsReverse(address, secret, deps.clock()) : { outcome: 'not-srs' as const };
  const routing = routeRecipient(config, address, { mayRelay: true, ...(isSrs ? { srs: () => reversed } : {}) });
  if (routing.outcome === 'refused') return { reason: `the sender cannot be told: ${routing.text}` };
  // RFC 3461 §6.1: a notification asks for none itself.
  const dsn = { notify: ['never' as const], orcpt: null };
  const routes = routing.routes.map((route) => ({ forwardPath: reversePath, dsn, route }));
  return { routes, to: reversed.outcome === 'address' ? reversed.reversePath : reversePath };
}

/** `to`: who reads it; not the reverse-path if mail was forwarded. */
type Owed = { readonly state: DeliveryState; readonly notice: DeliveryNotice; readonly to: string };

async function compose(deps: NotifyDeps, config: Config, { state, notice, to }: Owed): Promise<Uint8Array> {
  const { job } = state;
  const original = await readOriginal(deps.store, state);
  return composeDsn({
    id: notice.id,
    boundary: createHash('sha256').update(notice.id).digest('hex').slice(0, 32),
    hostname: config.hostname,
    to,
    now: notice.at,
    arrivalAt: job.receivedAt,
    envid: job.envelope.dsn.envid,
    ret: job.envelope.dsn.ret,
    smtpUtf8: job.envelope.smtpUtf8,
    recipients: notice.recipients.map(({ forwardPath, action }) => dsnRecipient(state, forwardPath, action)),
    original,
    originalBytes: job.raw.bytes,
  });
}

function dsnRecipient(state: DeliveryState, forwardPath: string, action: DsnRecipient['action']): DsnRecipient {
  const asked = askedRecipient(state, forwardPath);
  const known = state.recipients.find((recipient) => recipient.forwardPath === forwardPath);
  const isExpanded = action === 'expanded' && asked?.originalForwardPath !== null;
  return {
    finalRecipient: isExpanded ? (asked?.originalForwardPath ?? forwardPath) : forwardPath,
    originalRecipient: asked?.dsn.orcpt ?? aliasOf(asked?.originalForwardPath ?? null),
    action,
    status: known?.status ?? '5.0.0',
    remoteMta: isExpanded ? null : (known?.host ?? null),
    diagnostic: isExpanded ? null : (known?.diagnostic ?? null),
    explanation: [known?.reason ?? '', ...suppressionNote(state, forwardPath)].join(' '),
    lastAttemptAt: state.attempts.at(-1)?.at ?? null,
    willRetryUntil: action === 'delayed' ? state.job.expiresAt : null,
  };
}

/** What follows if a host says that the address does not exist (see suppress.ts). */
function suppressionNote({ attempts }: DeliveryState, forwardPath: string): string[] {
  const results = attempts.at(-1)?.hosts.flatMap(({ recipients }) => recipients) ?? [];
  const isDead = results.some((result) => result.forwardPath === forwardPath && isHardBounce(result));
  const note =
    'That means that the address does not exist: more mail from your domain to it may be refused at once for a while.';
  return isDead ? [note] : [];
}

/** The address that was written to, in the form of an ORCPT: all that the sender of a forwarded message knows (RFC 3461 §5.2). */
function aliasOf(originalForwardPath: string | null): string | null {
  if (originalForwardPath === null) return null;
  return `${isAscii(Buffer.from(originalForwardPath)) ? 'rfc822' : 'utf-8'};${originalForwardPath}`;
}

/** The message, or as much of its beginning as a notification can return; empty if it is no longer stored, or damaged. */
async function readOriginal(store: NotifyDeps['store'], { job }: DeliveryState): Promise<Uint8Array> {
  const { key, bytes } = job.raw;
  const last = Math.min(bytes, originalBytesNeeded) - 1;
  try {
    const stored = await (last < bytes - 1 ? store.get(key, { first: 0, last }) : store.get(key));
    return stored === null ? new Uint8Array() : await readBody(stored.body);
  } catch (thrown) {
    if (whyHopeless(thrown) === null) throw thrown;
    return new Uint8Array();
  }
}

type Stored = { readonly id: MessageId; readonly key: string; readonly bytes: Uint8Array };

function receivedJob(
  stored: Stored,
  { job }: DeliveryState,
  { receivedAt, recipients }: { readonly receivedAt: string; readonly recipients: RoutedRecipient[] },
): ReceivedJob {
  const { id, key, bytes } = stored;
  return {
    version: 2,
    id,
    receivedAt,
    raw: { key, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
    envelope: {
      ...job.envelope, // RFC 8689 §5: a report quotes the message, so it is protected like it
      session: internalSession,
      reversePath: '', // RFC 5321 §4.5.5
      bodyType: bytes.some((byte) => byte > 0x7f) ? '8bitmime' : '7bit',
      dsn: { ret: null, envid: null },
      recipients,
    },
    attempt: 1,
  };
}
