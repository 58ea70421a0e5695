// What a played seed left behind, looked up by message: its objects, its jobs wherever they are, its copies at other hosts.
import { unpacked } from '#pipeline/aws/pack.ts';
import { type DeliverJob, jobSchemas } from '#pipeline/contract/jobs.ts';
import { messageIdOf, parseDeliveryKey, parseMessageKey } from '#pipeline/contract/keys.ts';
import { type DeliveryState, deliveryStateSchema } from '#pipeline/contract/records/delivery.ts';
import { whyNotTold } from '#pipeline/contract/sender-proof.ts';
import type { QueueName } from '#pipeline/contract/stages.ts';
import type { Written } from '#test/simulation/aws/sim-s3.ts';
import type { SimMessage } from '#test/simulation/aws/sim-sqs.ts';
import type { Taken } from '#test/simulation/mail/peer.ts';
import type { Place } from '#test/simulation/mail/places.ts';
import type { Outcome } from './world.ts';

export type Evidence = {
  /** The writes of a mailbox's JSON, in order: of the inbox and of the quarantine. */
  readonly stored: (id: string, place: Place) => readonly Written[];
  /** Whether it is in quarantine, or on its way there. */
  readonly isHeld: (id: string) => boolean;
  readonly record: (id: string, domain: string) => { readonly key: string; readonly state: DeliveryState } | null;
  readonly records: readonly DeliveryState[];
  /** Whether a job that leads to the place is on a queue; the queues of dead letters that have one. */
  readonly isWaiting: (id: string, place: Place) => boolean;
  readonly deadIn: (id: string, place: Place) => readonly Dead[];
  /** What other hosts took of it for an address, in order. */
  readonly copies: (id: string, address: string) => readonly Taken[];
};

/** A dead letter: where it is, since when, and whether its sender may be told. */
export type Dead = { readonly queue: string; readonly at: number; readonly mayTell: boolean };

type Queued = {
  readonly queue: string;
  readonly id: string;
  readonly domain: string | null;
  readonly isHeld: boolean;
  readonly at: number;
  readonly mayTell: boolean;
};

/** Looks all of it up once. */
export function gatherEvidence({ s3, queues, taken }: Outcome): Evidence {
  const mails = s3.writes.flatMap((written) => {
    const named = parseMessageKey(written.key);
    return named === null ? [] : [{ ...named, id: messageIdOf(written.key), written }];
  });
  const records = new Map<string, { readonly key: string; readonly state: DeliveryState }>();
  for (const [key, { bytes }] of s3.objects) {
    const named = parseDeliveryKey(key);
    if (named === null) continue;
    const state = deliveryStateSchema.parse(JSON.parse(bytes.toString('utf8')));
    records.set(`${named.id} ${named.domain}`, { key, state });
  }
  const queued = [...queues.values()].flatMap(({ name, messages }) =>
    [...messages].flatMap(unpacked).map((message) => jobIn(name, message)),
  );
  const leadsTo = ({ queue, id, domain }: Queued, wanted: string, { kind, address }: Place): boolean => {
    if (id !== wanted) return false;
    const first = queue.replace('-dead', '');
    if (first === 'received' || first === 'received-slow') return true;
    return kind === 'mailbox' ? first === 'parse' : first === 'deliver' && domain === domainOf(address);
  };
  return {
    stored: (id, { address }) =>
      mails.flatMap((mail) => (mail.id === id && `${mail.localPart}@${mail.domain}` === address ? [mail.written] : [])),
    isHeld: (id) =>
      mails.some((mail) => mail.id === id && mail.folder === 'quarantine') ||
      queued.some((job) => job.id === id && job.isHeld),
    record: (id, domain) => records.get(`${id} ${domain}`) ?? null,
    records: [...records.values()].map(({ state }) => state),
    isWaiting: (id, place) => queued.some((job) => !job.queue.endsWith('-dead') && leadsTo(job, id, place)),
    deadIn: (id, place) =>
      queued.flatMap((job) => (job.queue.endsWith('-dead') && leadsTo(job, id, place) ? [job] : [])),
    copies: (id, address) =>
      taken.filter(({ recipients, bytes }) => recipients.includes(address) && headerOf(bytes).includes(id)),
  };
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

/** A dead letter is visible from when it became one. */
function jobIn(queue: string, { body, visibleAt: at }: Pick<SimMessage, 'body' | 'visibleAt'>): Queued {
  const job = jobSchemas[queue.replace('-dead', '') as QueueName].parse(JSON.parse(body));
  const isHeld = 'disposition' in job && job.disposition.action === 'quarantine';
  return {
    queue,
    id: job.id,
    domain: 'domain' in job ? (job as DeliverJob).domain : null,
    isHeld,
    at,
    mayTell: !('hook' in job) && whyNotTold(job) === null,
  };
}

function headerOf(bytes: Buffer): string {
  return bytes.subarray(0, bytes.indexOf('\r\n\r\n')).toString('latin1');
}
