// Sends a released message: stores its copy, and queues a job of stage deliver for each domain.
//
// Its reverse-path is not simply the stored message's: that may name anybody, who would get the bounces of a release that fails. It is
// `release.reversePath`; else the stored one if that is of a domain here; else null, to which nobody reports (RFC 5321 §4.5.5).
import { type Domain, formatAddress, isAsciiAddress, parseAddress } from '#mail/address/address.ts';
import { authorsOf } from '#mail/address/authors.ts';
import { envelopeOptionsSchema, internalSession, isLoggedIn, type RoutedEnvelope } from '#mail/envelope/envelope.ts';
import { noDsn, type RemoteRecipient } from '#mail/envelope/recipient.ts';
import { type StoredEnvelope, storedForm } from '#mail/envelope/stored-envelope.ts';
import { type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { type Header, readHeaderOf } from '#mail/header/read-header.ts';
import { formatReceivedField } from '#mail/header/received-field.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import { findSigningDomain } from '#pipeline/config/signing-domain.ts';
import { deliverGroup } from '#pipeline/contract/job-groups.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import type { Clock, JobSender, ObjectStore } from '#pipeline/contract/ports.ts';
import { marksRecord, newMarks, withRelease } from '#pipeline/contract/records/marks.ts';
import { placeEnvelope, readEnvelope } from '#pipeline/contract/stored-envelope.ts';
import { copyWithout, type LeftOut, leftOutOf } from './copy-to-release.ts';
import { type BodyDigest, bodyTypeOf, digestBody } from './digest-body.ts';
import type { ReleaseOutcome, ReleaseRequest, Releases } from './release-message.ts';
import { whyHere, whyNotAllowed } from './release-rules.ts';
import { releaseMetadata } from './released-copy.ts';

export type ReleaseDeps = {
  readonly store: Pick<ObjectStore, 'get' | 'put'>;
  readonly jobs: JobSender;
  readonly config: ConfigSource;
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly clock: Clock;
};

export function createReleases(deps: ReleaseDeps): Releases {
  return {
    rules: async () => (await deps.config.current()).release,
    release: async (request) => {
      const config = await deps.config.current();
      const reason = whyNotAllowed(config, request.to);
      if (reason !== null) return { outcome: 'not-allowed', reason };
      const local = request.to.map((address) => whyHere(config, address)).find((one) => one !== null);
      if (local !== undefined) return { outcome: 'refused', reason: local };
      const original = await readOriginal(deps.store, request.id);
      return 'outcome' in original ? original : send(deps, config, { ...request, original });
    },
  };
}

/** A stored message: its envelope as far as that is known, its header, and what of it stays here. */
type Original = {
  readonly key: string;
  readonly envelope: StoredEnvelope | null;
  readonly header: Header;
  readonly leftOut: LeftOut;
};

async function readOriginal(store: ReleaseDeps['store'], id: MessageId): Promise<Original | ReleaseOutcome> {
  const key = rawKey({ id, receivedAt: receivedAtOf(id) });
  const stored = await store.get(key);
  if (stored === null) return { outcome: 'not-found' };
  const chunks = stored.body[Symbol.asyncIterator]();
  const { header } = await readHeaderOf(chunks);
  await chunks.return?.();
  const leftOut = leftOutOf(header, id);
  if (leftOut === null) {
    return { outcome: 'refused', reason: 'its header is too large to be sure that it has no Bcc field left' };
  }
  return { key, envelope: await readEnvelope(store, stored), header, leftOut };
}

type Release = ReleaseRequest & { readonly original: Original };
type Sent = { readonly id: MessageId; readonly receivedAt: string; readonly envelope: RoutedEnvelope };

/** The copy is durable before its jobs, and the release is noted with the message after them: of those who get it. Throws if nobody does. */
async function send(deps: ReleaseDeps, config: Config, release: Release): Promise<ReleaseOutcome> {
  const { store, jobs } = deps;
  const nowMs = deps.clock();
  const id = deps.newMessageId(nowMs);
  const receivedAt = new Date(nowMs).toISOString();
  const open = () => openCopy(store, config, { ...release, id, receivedAt });
  const { hasHighBytes, ...digest } = await digestBody(await open());
  const copy = { id, receivedAt, envelope: envelopeOf(config, release, { hasHighBytes }) };
  const key = rawKey(copy);
  await storeCopy(store, copy, { ...release, body: await open() });
  const deliveries = jobsOf(config, { ...release, ...copy, raw: { key, ...digest }, nowMs });
  const attempts = await Promise.allSettled(
    deliveries.map((job) => jobs.send('deliver', job, { group: deliverGroup(config, job.domain) })),
  );
  const failed = deliveries.flatMap((job, n) => {
    const attempt = attempts[n];
    return attempt?.status === 'rejected' ? [{ ...addressesOf(job), reason: String(attempt.reason) }] : [];
  });
  const [first] = attempts.filter((attempt) => attempt.status === 'rejected');
  if (first !== undefined && failed.length === deliveries.length) throw first.reason;
  const domains = deliveries.map(({ domain }) => domain).filter((one) => failed.every(({ domain }) => domain !== one));
  const to = deliveries.map(addressesOf).flatMap((one) => (domains.includes(one.domain) ? one.to : []));
  const marked = marksRecord.key({ id: release.id, receivedAt: receivedAtOf(release.id) });
  await marksRecord.change(store, marked, (found) =>
    withRelease(found ?? newMarks(release.id), { id, at: receivedAt, by: release.by, to }),
  );
  return { outcome: 'queued', id, to, domains, reversePath: copy.envelope.reversePath, failed };
}

function addressesOf({ domain, envelope }: DeliverJob): { readonly domain: string; readonly to: string[] } {
  return { domain, to: envelope.recipients.map(({ forwardPath }) => forwardPath) };
}

async function openCopy(
  store: ReleaseDeps['store'],
  { hostname }: Config,
  { original, id, receivedAt }: Release & Omit<Sent, 'envelope'> & { readonly id: MessageId },
): Promise<AsyncGenerator<Uint8Array>> {
  const stored = await store.get(original.key);
  if (stored === null) throw new Error(`${original.key} was deleted while it was released`);
  const facts = { session: internalSession, hostname, id, receivedAt, forRecipient: null, smtpUtf8: false };
  return copyWithout(stored.body, original.leftOut, Buffer.from(formatReceivedField(facts)));
}

/** What MAIL asked for the bytes of the stored message holds for the copy; what it asked to be told does not. */
function envelopeOf(
  config: Config,
  { original: { envelope }, to }: Release,
  digest: Pick<BodyDigest, 'hasHighBytes'>,
): RoutedEnvelope {
  const { bodyType, smtpUtf8, requireTls } = envelope ?? envelopeOptionsSchema.parse({});
  return {
    ...envelopeOptionsSchema.parse({}),
    session: internalSession,
    reversePath: reversePathOf(config, envelope),
    bodyType: bodyTypeOf(bodyType, digest),
    smtpUtf8: smtpUtf8 || !to.every(isAsciiAddress),
    requireTls,
    recipients: to.map((address) => ({
      forwardPath: formatAddress(address),
      dsn: noDsn,
      route: { kind: 'relay' },
    })),
  };
}

function reversePathOf({ release, domains }: Config, envelope: StoredEnvelope | null): string {
  if (release.reversePath !== null) return release.reversePath;
  const own = parseAddress(envelope?.reversePath ?? '');
  return !isProblem(own) && Object.hasOwn(domains, own.domain) ? formatAddress(own) : '';
}

/** An envelope too large for metadata is stored first: what is there is whole. */
async function storeCopy(
  store: ReleaseDeps['store'],
  { id, receivedAt, envelope }: Sent,
  { id: of, by, body }: Release & { readonly body: AsyncIterable<Uint8Array> },
): Promise<void> {
  const key = rawKey({ id, receivedAt });
  const { metadata, beside } = placeEnvelope(key, storedForm(envelope, { id, receivedAt }));
  if (beside !== null) {
    await store.put({ key: beside.key, body: Buffer.from(beside.text), contentType: 'application/json' });
  }
  const contentType = 'message/rfc822';
  await store.put({ key, body, contentType, metadata: { ...metadata, ...releaseMetadata({ of, by }) } });
}

/** One for each domain. */
function jobsOf(
  config: Config,
  {
    id,
    receivedAt,
    envelope,
    raw,
    to,
    original,
    nowMs,
  }: Omit<Release, 'id'> & Sent & { readonly raw: DeliverJob['raw']; readonly nowMs: number },
): readonly DeliverJob[] {
  const groups = new Map<Domain, Map<string, RemoteRecipient>>();
  for (const address of to) {
    const group = groups.get(address.domain) ?? new Map<string, RemoteRecipient>();
    const forwardPath = formatAddress(address);
    groups.set(address.domain, group.set(forwardPath, { forwardPath, dsn: noDsn, originalForwardPath: null }));
  }
  const expiresAt = new Date(nowMs + config.delivery.expireSeconds * 1_000).toISOString();
  return [...groups].map(([domain, recipients]) => ({
    version: 2,
    id,
    receivedAt,
    raw,
    envelope: { ...envelope, recipients: [...recipients.values()] },
    domain,
    signingDomain: signingDomainOf(config, original),
    attempt: 1,
    firstAttemptAt: null,
    expiresAt,
    sender: { proven: true, by: 'internal' },
  }));
}

/** Mail that was submitted with a password is signed, as it was or would have been; what a stranger wrote in our name is not. */
function signingDomainOf({ domains }: Config, { envelope, header }: Original): Domain | null {
  if (envelope === null || envelope.session === null || !isLoggedIn(envelope.session)) return null;
  return findSigningDomain({ authorDomains: authorsOf(header).domains, reversePath: envelope.reversePath }, domains);
}
